/* UUIDs as values. Any thread may call everything here. */
#ifndef LOCUM_BASE_UUID_H
#define LOCUM_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

enum { UUID_BYTES = 16, UUID_TEXT_SIZE = 37 };

struct uuid {
	unsigned char bytes[UUID_BYTES];
};

/* A new random one (version 4, libuuid). */
struct uuid uuid_make(void);

/* The UUID that always belongs to this number under `from`; `from` itself for 0. */
struct uuid uuid_derive(struct uuid from, int64_t number);

/* Writes 36 characters and a NUL into text, and returns text. */
const char *uuid_text(struct uuid uuid, char text[static UUID_TEXT_SIZE]);

/* Returns 0 and sets *uuid, or -1 when text is not a UUID. */
int uuid_read(const char *text, struct uuid *uuid);

bool uuid_same(struct uuid a, struct uuid b);
bool uuid_is_none(struct uuid uuid);

#endif
