#include "base/pack.h"

#include <string.h>

static void put(struct pack_writer *to, const void *bytes, size_t length)
{
	if (to->failed)
		return;
	to->failed = buffer_append(to->out, bytes, length, to->err) != 0;
}

static void put_number(struct pack_writer *to, uint64_t value, size_t size)
{
	unsigned char bytes[sizeof(value)];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	put(to, bytes, size);
}

void pack_u8(struct pack_writer *to, unsigned value)
{
	put_number(to, value, 1);
}

void pack_u32(struct pack_writer *to, uint32_t value)
{
	put_number(to, value, sizeof(value));
}

void pack_i32(struct pack_writer *to, int32_t value)
{
	put_number(to, (uint32_t)value, sizeof(value));
}

void pack_i64(struct pack_writer *to, int64_t value)
{
	put_number(to, (uint64_t)value, sizeof(value));
}

void pack_uuid(struct pack_writer *to, struct uuid uuid)
{
	put(to, uuid.bytes, sizeof(uuid.bytes));
}

void pack_bytes(struct pack_writer *to, const char *bytes, uint32_t length)
{
	if (bytes == NULL) {
		pack_u32(to, PACK_ABSENT);
		return;
	}
	pack_u32(to, length);
	put(to, bytes, length);
}

void pack_string(struct pack_writer *to, const char *string)
{
	pack_bytes(to, string, string == NULL ? 0 : (uint32_t)strlen(string));
}

void pack_strings(struct pack_writer *to, char *const *strings)
{
	uint32_t count = 0;

	while (strings != NULL && strings[count] != NULL)
		count++;
	pack_u32(to, count);
	for (uint32_t i = 0; i < count; i++)
		pack_string(to, strings[i]);
}
