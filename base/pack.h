/*
 * Little-endian fields in a row of bytes, for base/wire.c; base/unpack.h reads them.
 *
 * Both ends remember a failure, so that a message is packed or unpacked field by field and checked
 * once. Owned by one thread.
 */
#ifndef LOCUM_BASE_PACK_H
#define LOCUM_BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/uuid.h"

/* The length that stands for "there are no bytes". */
#define PACK_ABSENT UINT32_MAX

struct pack_writer {
	struct buffer *out;
	struct error *err; /* filled at the first failure */
	bool failed;
};

void pack_u8(struct pack_writer *to, unsigned value);
void pack_u32(struct pack_writer *to, uint32_t value);
void pack_i32(struct pack_writer *to, int32_t value);
void pack_i64(struct pack_writer *to, int64_t value);
void pack_uuid(struct pack_writer *to, struct uuid uuid);
/* NULL bytes are absent bytes. */
void pack_bytes(struct pack_writer *to, const char *bytes, uint32_t length);
/* A NULL string is absent. */
void pack_string(struct pack_writer *to, const char *string);
/* A NULL-terminated list; NULL is an empty one. */
void pack_strings(struct pack_writer *to, char *const *strings);

#endif
