#include "db/args.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* Type oids are fixed by PostgreSQL's catalogue. */
enum {
	OID_BOOL = 16,
	OID_INT8 = 20,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_TID = 27,
	OID_INT4_ARRAY = 1007,
	OID_TEXT_ARRAY = 1009,
	OID_TID_ARRAY = 1010,
	OID_INT8_ARRAY = 1016,
	OID_TIMESTAMPTZ = 1184,
	OID_UUID = 2950,
	OID_UUID_ARRAY = 2951,
};

enum { ARRAY_NULL = -1 };

void args_init(struct args *args)
{
	memset(args, 0, sizeof(*args));
}

void args_fini(struct args *args)
{
	for (int i = 0; i < args->count; i++)
		free(args->owned[i]);
	args_init(args);
}

/* Adds an argument whose bytes somebody keeps until the call was sent. */
static void add(struct args *args, unsigned type, const char *value, size_t length)
{
	if (args->count == ARGS_MAX) {
		args->failed = true;
		return;
	}
	args->types[args->count] = type;
	args->values[args->count] = value;
	args->lengths[args->count] = (int)length;
	args->count++;
}

/* Adds an argument of at most UUID_BYTES bytes, which is copied. */
static void add_small(struct args *args, unsigned type, const void *value, size_t length)
{
	char *copy;

	if (args->count == ARGS_MAX) {
		args->failed = true;
		return;
	}
	copy = args->small[args->count];
	memcpy(copy, value, length);
	add(args, type, copy, length);
}

void args_int4(struct args *args, int32_t value)
{
	uint32_t wire = htobe32((uint32_t)value);

	add_small(args, OID_INT4, &wire, sizeof(wire));
}

void args_int8(struct args *args, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);

	add_small(args, OID_INT8, &wire, sizeof(wire));
}

void args_bool(struct args *args, bool value)
{
	char wire = value ? 1 : 0;

	add_small(args, OID_BOOL, &wire, 1);
}

void args_time(struct args *args, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);

	add_small(args, OID_TIMESTAMPTZ, &wire, sizeof(wire));
}

void args_uuid(struct args *args, struct uuid value)
{
	add_small(args, OID_UUID, value.bytes, UUID_BYTES);
}

void args_uuid_or_null(struct args *args, struct uuid value)
{
	if (uuid_is_none(value))
		add(args, OID_UUID, NULL, 0);
	else
		args_uuid(args, value);
}

void args_text(struct args *args, const char *value)
{
	add(args, OID_TEXT, value, value == NULL ? 0 : strlen(value));
}

static char *put_int4(char *at, int32_t value)
{
	uint32_t wire = htobe32((uint32_t)value);

	memcpy(at, &wire, sizeof(wire));
	return at + sizeof(wire);
}

static char *put_header(char *at, unsigned element, size_t count, bool has_null)
{
	at = put_int4(at, count == 0 ? 0 : 1); /* dimensions */
	at = put_int4(at, has_null);
	at = put_int4(at, (int32_t)element);
	at = put_int4(at, (int32_t)count);
	return put_int4(at, 1); /* lower bound */
}

/* Adds an array argument with room for `bytes` behind its header; returns where the elements go, or NULL
 * when memory ended. */
static char *add_array(struct args *args, unsigned type, unsigned element, size_t count,
		       size_t bytes, bool has_null)
{
	char *array = malloc(ARGS_HEADER_BYTES + bytes);
	char *at = array;
	size_t length = count == 0 ? 12 : ARGS_HEADER_BYTES + bytes;

	if (array == NULL || args->count == ARGS_MAX) {
		free(array);
		args->failed = true;
		return NULL;
	}
	at = put_header(at, element, count, has_null);
	args->owned[args->count] = array;
	add(args, type, array, length);
	return at;
}

void args_int4_array(struct args *args, const int32_t *values, size_t count)
{
	char *at = add_array(args, OID_INT4_ARRAY, OID_INT4, count, count * 8, false);

	for (size_t i = 0; at != NULL && i < count; i++)
		at = put_int4(put_int4(at, 4), values[i]);
}

void args_int8_array(struct args *args, const int64_t *values, size_t count)
{
	char *at = add_array(args, OID_INT8_ARRAY, OID_INT8, count, count * 12, false);

	for (size_t i = 0; at != NULL && i < count; i++) {
		uint64_t wire = htobe64((uint64_t)values[i]);

		at = put_int4(at, 8);
		memcpy(at, &wire, sizeof(wire));
		at += sizeof(wire);
	}
}

/* Values of one size, whose bytes go as they are and stand side by side. */
static void add_fixed_array(struct args *args, unsigned array, unsigned element, const void *values,
			    size_t count, int size)
{
	char *at = add_array(args, array, element, count, count * (4 + (size_t)size), false);
	const char *from = values;

	for (size_t i = 0; at != NULL && i < count; i++) {
		at = put_int4(at, size);
		memcpy(at, from + i * (size_t)size, (size_t)size);
		at += size;
	}
}

void args_uuid_array(struct args *args, const struct uuid *values, size_t count)
{
	_Static_assert(sizeof(*values) == UUID_BYTES, "side by side");
	add_fixed_array(args, OID_UUID_ARRAY, OID_UUID, values, count, UUID_BYTES);
}

void args_place_array(struct args *args, const struct row_place *values, size_t count)
{
	_Static_assert(sizeof(*values) == ROW_PLACE_BYTES, "side by side");
	add_fixed_array(args, OID_TID_ARRAY, OID_TID, values, count, ROW_PLACE_BYTES);
}

void args_text_array(struct args *args, const struct args_text *values, size_t count)
{
	size_t bytes = count * 4;
	bool has_null = false;
	char *at;

	for (size_t i = 0; i < count; i++) {
		has_null = has_null || values[i].bytes == NULL;
		bytes += values[i].bytes == NULL ? 0 : values[i].length;
	}
	at = add_array(args, OID_TEXT_ARRAY, OID_TEXT, count, bytes, has_null);
	for (size_t i = 0; at != NULL && i < count; i++) {
		if (values[i].bytes == NULL) {
			at = put_int4(at, ARRAY_NULL);
			continue;
		}
		at = put_int4(at, (int32_t)values[i].length);
		memcpy(at, values[i].bytes, values[i].length);
		at += values[i].length;
	}
}

void args_encoded_array(struct args *args, enum args_element element, char *array, size_t length,
			size_t count)
{
	static const unsigned ELEMENTS[] = { [ARGS_INT4] = OID_INT4, [ARGS_TEXT] = OID_TEXT };
	static const unsigned ARRAYS[] = {
		[ARGS_INT4] = OID_INT4_ARRAY, [ARGS_TEXT] = OID_TEXT_ARRAY
	};

	if (array != NULL)
		put_header(array, ELEMENTS[element], count, true); /* "may have nulls" is enough */
	add(args, ARRAYS[element], array, array == NULL ? 0 : length);
}

void args_string_array(struct args *args, const char *const *values, size_t count)
{
	struct args_text *texts = calloc(count + 1, sizeof(*texts));

	if (texts == NULL) {
		args->failed = true;
		return;
	}
	for (size_t i = 0; i < count; i++)
		texts[i] = (struct args_text){ values[i],
					       values[i] == NULL ? 0 : strlen(values[i]) };
	args_text_array(args, texts, count);
	free(texts);
}

void args_string_array_or_null(struct args *args, const char *const *values, size_t count)
{
	if (values == NULL)
		add(args, OID_TEXT_ARRAY, NULL, 0);
	else
		args_string_array(args, values, count);
}
