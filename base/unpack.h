/* The other end of base/pack.h: fields read from a row of bytes. Owned by one thread. */
#ifndef LOCUM_BASE_UNPACK_H
#define LOCUM_BASE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

/* Reads from borrowed bytes. After a failure every reader returns zero or NULL. */
struct pack_reader {
	const char *bytes;
	size_t left;
	bool failed;
};

uint8_t unpack_u8(struct pack_reader *from);
uint32_t unpack_u32(struct pack_reader *from);
int32_t unpack_i32(struct pack_reader *from);
int64_t unpack_i64(struct pack_reader *from);
struct uuid unpack_uuid(struct pack_reader *from);
/* Points into the reader's bytes; NULL when absent. */
const char *unpack_bytes(struct pack_reader *from, uint32_t *length);
/* A copy, the caller's to free; NULL when absent. Bytes with a NUL inside are a failure. */
char *unpack_string(struct pack_reader *from);
/* A NULL-terminated list, the caller's to free with its strings. */
char **unpack_strings(struct pack_reader *from);

#endif
