/* Errors as the library's callers get them. Any thread. */
#ifndef LOCUM_LIB_FAULT_H
#define LOCUM_LIB_FAULT_H

#include <stddef.h>

#include "base/error.h"
#include "include/locum/client.h"

/* Fills *error, which may be NULL; place is that of an element, from 1, or 0. Always returns -1. */
int fault_tell(struct locum_error *error, const struct error *err, size_t place);

/* What went wrong in the caller's arguments. Always returns -1. */
int fault_input(struct locum_error *error, const char *message);

int fault_memory(struct locum_error *error);

#endif
