/* struct locum_options, checked and as the database takes it. Any thread. */
#ifndef LOCUM_LIB_OPTIONS_H
#define LOCUM_LIB_OPTIONS_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/uuid.h"
#include "include/locum/client.h"

/* Sets *known to the caller's options (NULL: the defaults), which may be of an older header. */
int options_read(const struct locum_options *given, struct locum_options *known, struct error *err);

/* Appends those options that have no array of their own as a JSON object; nothing when all are defaults. */
int options_write(struct buffer *out, const struct locum_options *options, struct error *err);

/* Reads a UUID that the caller calls `what`; NULL is none: the zero UUID. */
int options_uuid(const char *what, const char *text, struct uuid *uuid, struct error *err);

#endif
