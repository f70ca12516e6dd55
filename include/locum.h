/*
 * locum.h: locum for programs in C and C++.
 *
 *   locum/client.h  submit jobs, wait for them, complete them: liblocum, pkg-config --cflags --libs locum
 *   locum/plugin.h  write a handler that a dispatcher loads: nothing to link with
 */
#ifndef LOCUM_INCLUDE_LOCUM_H
#define LOCUM_INCLUDE_LOCUM_H

#include <locum/client.h>
#include <locum/plugin.h>

#endif
