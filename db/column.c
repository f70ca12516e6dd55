#include "db/column.h"

#include <endian.h>
#include <string.h>

enum { LENGTH_BYTES = 4, NULL_LENGTH = -1 };

void column_init(struct column *column, enum args_element element, size_t limit)
{
	*column = (struct column){ .element = element };
	buffer_init(&column->bytes, limit);
}

void column_fini(struct column *column)
{
	buffer_free(&column->bytes);
}

void column_clear(struct column *column)
{
	column->bytes.start = 0;
	column->bytes.end = 0;
	column->dropped = 0;
	column->count = 0;
}

static int put_length(struct column *column, int32_t length, struct error *err)
{
	uint32_t wire = htobe32((uint32_t)length);

	return buffer_append(&column->bytes, &wire, sizeof(wire), err);
}

/* The first value: makes up for the header and the nulls before it. */
static int begin(struct column *column, struct error *err)
{
	if (buffer_length(&column->bytes) > 0)
		return 0;
	if (buffer_reserve(&column->bytes, ARGS_HEADER_BYTES, err) == NULL)
		return -1;
	column->bytes.end += ARGS_HEADER_BYTES;
	for (size_t i = 0; i < column->count; i++)
		if (put_length(column, NULL_LENGTH, err) != 0)
			return -1;
	return 0;
}

static int add(struct column *column, const void *bytes, size_t length, struct error *err)
{
	if (begin(column, err) != 0 || put_length(column, (int32_t)length, err) != 0 ||
	    buffer_append(&column->bytes, bytes, length, err) != 0)
		return -1;
	column->count++;
	return 0;
}

int column_add_text(struct column *column, struct args_text text, struct error *err)
{
	if (text.bytes == NULL)
		return column_add_null(column, err);
	return add(column, text.bytes, text.length, err);
}

int column_add_int4(struct column *column, int32_t value, struct error *err)
{
	uint32_t wire = htobe32((uint32_t)value);

	return add(column, &wire, sizeof(wire), err);
}

int column_add_null(struct column *column, struct error *err)
{
	if (buffer_length(&column->bytes) > 0 && put_length(column, NULL_LENGTH, err) != 0)
		return -1;
	column->count++;
	return 0;
}

struct column_mark column_mark(const struct column *column)
{
	return (struct column_mark){ column->bytes.end, column->count };
}

void column_take_back(struct column *column, struct column_mark mark)
{
	column->bytes.end = mark.end;
	column->count = mark.count;
}

static const char *first_element(const struct column *column)
{
	return buffer_bytes(&column->bytes) + ARGS_HEADER_BYTES + column->dropped;
}

static int32_t length_at(const char *element)
{
	uint32_t wire;

	memcpy(&wire, element, sizeof(wire));
	return (int32_t)be32toh(wire);
}

/* Bytes of the first `count` elements. */
static size_t span(const struct column *column, size_t count)
{
	const char *first = first_element(column);
	const char *at = first;

	if (count == column->count)
		return buffer_length(&column->bytes) - ARGS_HEADER_BYTES - column->dropped;
	for (size_t i = 0; i < count; i++) {
		int32_t length = length_at(at);

		at += LENGTH_BYTES + (length < 0 ? 0 : length);
	}
	return (size_t)(at - first);
}

void column_drop(struct column *column, size_t count)
{
	if (buffer_length(&column->bytes) > 0)
		column->dropped += span(column, count);
	column->count -= count;
}

struct args_text column_text(const struct column *column, size_t place)
{
	const char *element;
	int32_t length;

	if (buffer_length(&column->bytes) == 0)
		return (struct args_text){ NULL, 0 };
	element = first_element(column) + span(column, place);
	length = length_at(element);
	if (length < 0)
		return (struct args_text){ NULL, 0 };
	return (struct args_text){ element + LENGTH_BYTES, (size_t)length };
}

/* The header takes the place of what was dropped before the first element, or its own. */
void column_send(struct column *column, size_t count, struct args *args)
{
	if (buffer_length(&column->bytes) == 0)
		args_encoded_array(args, column->element, NULL, 0, 0);
	else
		args_encoded_array(args, column->element,
				   column->bytes.data + column->bytes.start + column->dropped,
				   ARGS_HEADER_BYTES + span(column, count), count);
}
