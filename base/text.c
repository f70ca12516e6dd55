#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { ESCAPE_BYTES = 4 }; /* of \xNN, the longest escape */

static const char HEX[] = "0123456789abcdef";
static const char ELLIPSIS[] = "\xe2\x80\xa6";

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The second byte is where overlong forms, surrogates and values past U+10FFFF show. */
static bool second_byte_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	default:
		return true;
	}
}

static size_t announced_length(unsigned char first)
{
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

size_t text_character(const char *text, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t need;

	if (length == 0 || bytes[0] == 0)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	need = announced_length(bytes[0]);
	if (need == 0 || need > length || !second_byte_fits(bytes[0], bytes[1]))
		return 0;
	for (size_t i = 1; i < need; i++) {
		if (!is_continuation(bytes[i]))
			return 0;
	}
	return need;
}

size_t text_valid(const char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length) {
		size_t step = text_character(bytes + at, length - at);

		if (step == 0)
			break;
		at += step;
	}
	return at;
}

static void put_hex(char *out, unsigned char byte)
{
	out[0] = '\\';
	out[1] = 'x';
	out[2] = HEX[byte >> 4];
	out[3] = HEX[byte & 0xf];
}

static size_t cleaned_size(const char *bytes, size_t length)
{
	size_t size = 0;

	for (size_t at = 0; at < length;) {
		size_t good = text_valid(bytes + at, length - at);

		at += good;
		size += good;
		if (at < length) {
			at++;
			size += ESCAPE_BYTES;
		}
	}
	return size;
}

char *text_clean(const char *bytes, size_t length, size_t *cleaned)
{
	size_t size = cleaned_size(bytes, length);
	char *text = malloc(size + 1);
	char *out = text;

	if (text == NULL)
		return NULL;
	for (size_t at = 0; at < length;) {
		size_t good = text_valid(bytes + at, length - at);

		memcpy(out, bytes + at, good);
		out += good;
		at += good;
		if (at < length) {
			put_hex(out, (unsigned char)bytes[at]);
			out += ESCAPE_BYTES;
			at++;
		}
	}
	*out = '\0';
	*cleaned = size;
	return text;
}

/* C1 controls (U+0080 to U+009F) are two bytes long and still move a terminal's cursor. */
static bool is_control(const char *character)
{
	const unsigned char *bytes = (const unsigned char *)character;

	return bytes[0] < 0x20 || bytes[0] == 0x7f || (bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

int text_check_name(const char *what, const char *name, struct error *err)
{
	size_t length = strlen(name);

	if (length == 0)
		return error_set(err, ERROR_INPUT, "the %s's name is empty", what);
	if (length > LIMIT_NAME_BYTES)
		return error_set(err, ERROR_INPUT, "the %s's name is longer than %d bytes", what,
				 LIMIT_NAME_BYTES);
	for (size_t at = 0; at < length;) {
		size_t step = text_character(name + at, length - at);

		if (step == 0)
			return error_set(err, ERROR_INPUT, "the %s's name is not valid UTF-8",
					 what);
		if (is_control(name + at))
			return error_set(err, ERROR_INPUT,
					 "the %s's name holds a control character", what);
		at += step;
	}
	return 0;
}

/* The two-character escape of a byte, or 0. */
static char short_escape(char byte)
{
	switch (byte) {
	case '"':
	case '\\':
		return byte;
	case '\n':
		return 'n';
	case '\t':
		return 't';
	case '\r':
		return 'r';
	default:
		return 0;
	}
}

/* Writes the first character of text in its quoted form. Returns the length of that form and sets
 * *step to the bytes of text that it stands for. */
static size_t quote_character(const char *text, size_t length, char piece[2 * ESCAPE_BYTES],
			      size_t *step)
{
	char escape = short_escape(text[0]);
	size_t character = text_character(text, length);

	*step = character == 0 ? 1 : character;
	if (escape != 0) {
		piece[0] = '\\';
		piece[1] = escape;
		return 2;
	}
	if (character != 0 && !is_control(text)) {
		memcpy(piece, text, character);
		return character;
	}
	for (size_t i = 0; i < *step; i++)
		put_hex(piece + i * ESCAPE_BYTES, (unsigned char)text[i]);
	return *step * ESCAPE_BYTES;
}

char *text_quote(const char *text, char *out, size_t size)
{
	size_t length = strlen(text);
	size_t used = 0;
	size_t safe = 0; /* where the ellipsis still fits behind */
	size_t step;

	if (size == 0)
		return out;
	for (size_t at = 0; at < length; at += step) {
		char piece[2 * ESCAPE_BYTES];
		size_t need = quote_character(text + at, length - at, piece, &step);

		if (used + need >= size) {
			used = safe;
			if (used + sizeof(ELLIPSIS) <= size) {
				memcpy(out + used, ELLIPSIS, sizeof(ELLIPSIS) - 1);
				used += sizeof(ELLIPSIS) - 1;
			}
			break;
		}
		memcpy(out + used, piece, need);
		used += need;
		if (used + sizeof(ELLIPSIS) <= size)
			safe = used;
	}
	out[used] = '\0';
	return out;
}

bool text_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool text_same_list(char *const *a, char *const *b)
{
	size_t i = 0;

	if (a == NULL || b == NULL)
		return (a == NULL || a[0] == NULL) && (b == NULL || b[0] == NULL);
	while (a[i] != NULL && b[i] != NULL && strcmp(a[i], b[i]) == 0)
		i++;
	return a[i] == NULL && b[i] == NULL;
}
