#include "base/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "base/pack.h"

/* An unpacked list of strings holds pointers; a short body must not ask for many of them. */
enum { STRING_BYTES_MIN = 4 };

static const char *take(struct pack_reader *from, size_t length)
{
	const char *bytes = from->bytes;

	if (from->failed || length > from->left) {
		from->failed = true;
		return NULL;
	}
	from->bytes += length;
	from->left -= length;
	return bytes;
}

static uint64_t take_number(struct pack_reader *from, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)take(from, size);
	uint64_t value = 0;

	for (size_t i = 0; bytes != NULL && i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

uint8_t unpack_u8(struct pack_reader *from)
{
	return (uint8_t)take_number(from, sizeof(uint8_t));
}

uint32_t unpack_u32(struct pack_reader *from)
{
	return (uint32_t)take_number(from, sizeof(uint32_t));
}

int32_t unpack_i32(struct pack_reader *from)
{
	return (int32_t)take_number(from, sizeof(int32_t));
}

int64_t unpack_i64(struct pack_reader *from)
{
	return (int64_t)take_number(from, sizeof(int64_t));
}

struct uuid unpack_uuid(struct pack_reader *from)
{
	struct uuid uuid = { 0 };
	const char *bytes = take(from, sizeof(uuid.bytes));

	if (bytes != NULL)
		memcpy(uuid.bytes, bytes, sizeof(uuid.bytes));
	return uuid;
}

const char *unpack_bytes(struct pack_reader *from, uint32_t *length)
{
	uint32_t announced = unpack_u32(from);
	const char *bytes = NULL;

	if (!from->failed && announced != PACK_ABSENT)
		bytes = take(from, announced);
	*length = bytes == NULL ? 0 : announced;
	return bytes;
}

char *unpack_string(struct pack_reader *from)
{
	uint32_t length;
	const char *bytes = unpack_bytes(from, &length);
	char *string;

	if (bytes == NULL)
		return NULL;
	string = memchr(bytes, 0, length) == NULL ? strndup(bytes, length) : NULL;
	if (string == NULL)
		from->failed = true;
	return string;
}

char **unpack_strings(struct pack_reader *from)
{
	uint32_t count = unpack_u32(from);
	char **strings;

	if (from->failed || count > from->left / STRING_BYTES_MIN) {
		from->failed = true;
		return NULL;
	}
	strings = calloc((size_t)count + 1, sizeof(*strings));
	if (strings == NULL) {
		from->failed = true;
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		strings[i] = unpack_string(from);
		if (strings[i] == NULL) { /* an absent string would cut the list short */
			from->failed = true;
			break;
		}
	}
	return strings;
}
