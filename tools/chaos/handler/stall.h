/*
 * A file system with one file, whose reads are taken and never answered: who reads it waits uninterruptibly once it is to
 * end, until this process is gone.
 */
#ifndef LOCUM_TOOLS_CHAOS_HANDLER_STALL_H
#define LOCUM_TOOLS_CHAOS_HANDLER_STALL_H

#include "base/error.h"

/* Mounts it at that folder, which needs root, and serves it until it is unmounted. */
int stall_serve(const char *folder, struct error *err);

#endif
