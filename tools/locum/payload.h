/* The payload of `locum submit`: given on the command line, in a file, or on stdin. */
#ifndef LOCUM_TOOLS_LOCUM_PAYLOAD_H
#define LOCUM_TOOLS_LOCUM_PAYLOAD_H

#include <stddef.h>

#include "base/error.h"

/* Reads what "JSON", "@FILE" or "-" stand for into a new string. ERROR_INPUT for more than
 * LIMIT_PAYLOAD_BYTES, for a NUL, for bytes that are no UTF-8, and for a file that cannot be read. */
char *payload_read(const char *argument, struct error *err);

/* Says where text is no JSON, for a server that only says that it is none: "line 1, column 7: …". Returns 0
 * and fills place, or -1 when text looks well here. */
int payload_find_fault(const char *text, size_t length, char *place, size_t size);

#endif
