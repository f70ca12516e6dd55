/* A handler as the socket protocol carries it, for base/wire.c. Owned by one thread. */
#ifndef LOCUM_BASE_HANDLER_PACK_H
#define LOCUM_BASE_HANDLER_PACK_H

#include "base/handler.h"
#include "base/pack.h"
#include "base/unpack.h"

enum { HANDLER_PACK_BYTES_MIN = 16 }; /* less than any takes */

void handler_pack_write(struct pack_writer *to, const struct handler *handler);

/* Fills *handler, which the caller gives to handler_fini, failed or not. */
void handler_pack_read(struct pack_reader *from, struct handler *handler);

#endif
