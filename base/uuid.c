#include "base/uuid.h"

#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

struct uuid uuid_make(void)
{
	struct uuid uuid;

	uuid_generate_random(uuid.bytes);
	return uuid;
}

struct uuid uuid_derive(struct uuid from, int64_t number)
{
	struct uuid uuid;
	char name[24];
	int length = snprintf(name, sizeof(name), "%lld", (long long)number);

	if (number == 0)
		return from;
	uuid_generate_sha1(uuid.bytes, from.bytes, name, (size_t)length);
	return uuid;
}

const char *uuid_text(struct uuid uuid, char text[static UUID_TEXT_SIZE])
{
	uuid_unparse_lower(uuid.bytes, text);
	return text;
}

int uuid_read(const char *text, struct uuid *uuid)
{
	struct uuid parsed;

	if (uuid_parse(text, parsed.bytes) != 0)
		return -1;
	*uuid = parsed;
	return 0;
}

bool uuid_same(struct uuid a, struct uuid b)
{
	return memcmp(a.bytes, b.bytes, UUID_BYTES) == 0;
}

bool uuid_is_none(struct uuid uuid)
{
	static const struct uuid none;

	return uuid_same(uuid, none);
}
