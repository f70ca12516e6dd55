#include "base/json_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { REPLACEMENT = 0xfffd };

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

int json_text_hex(const char *digits, const char *end)
{
	int value = 0;

	if (end - digits < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(digits[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static char *put_character(char *out, uint32_t character)
{
	if (character < 0x80) {
		*out++ = (char)character;
	} else if (character < 0x800) {
		*out++ = (char)(0xc0 | character >> 6);
		*out++ = (char)(0x80 | (character & 0x3f));
	} else if (character < 0x10000) {
		*out++ = (char)(0xe0 | character >> 12);
		*out++ = (char)(0x80 | (character >> 6 & 0x3f));
		*out++ = (char)(0x80 | (character & 0x3f));
	} else {
		*out++ = (char)(0xf0 | character >> 18);
		*out++ = (char)(0x80 | (character >> 12 & 0x3f));
		*out++ = (char)(0x80 | (character >> 6 & 0x3f));
		*out++ = (char)(0x80 | (character & 0x3f));
	}
	return out;
}

static bool is_low_half(int value)
{
	return value >= 0xdc00 && value <= 0xdfff;
}

/* At the digits of \uXXXX; takes the second half of a pair along. */
static uint32_t take_unicode(const char **at, const char *end)
{
	int first = json_text_hex(*at, end);
	int second;

	*at += 4;
	if (first < 0xd800 || first > 0xdfff)
		return (uint32_t)first;
	if (is_low_half(first) || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return REPLACEMENT;
	second = json_text_hex(*at + 2, end);
	if (!is_low_half(second))
		return REPLACEMENT;
	*at += 6;
	return 0x10000u + ((uint32_t)(first - 0xd800) << 10) + (uint32_t)(second - 0xdc00);
}

static uint32_t take_escape(const char **at, const char *end)
{
	static const char LETTERS[] = "bfnrt";
	static const char MEANINGS[] = "\b\f\n\r\t";
	char letter = *(*at)++;
	const char *found = strchr(LETTERS, letter);

	if (letter == 'u')
		return take_unicode(at, end);
	return (uint32_t)(found == NULL ? letter : MEANINGS[found - LETTERS]);
}

/* No escape is shorter than what it stands for. */
char *json_text_decode(struct json_span value, size_t *length)
{
	const char *at = value.bytes + 1;
	const char *last = value.bytes + value.length - 1;
	char *text;
	char *out;

	if (!json_scan_is_text(value))
		return NULL;
	text = malloc(value.length);
	if (text == NULL)
		return NULL;
	for (out = text; at < last;) {
		if (*at != '\\') {
			*out++ = *at++;
			continue;
		}
		at++;
		out = put_character(out, take_escape(&at, last));
	}
	*out = '\0';
	*length = (size_t)(out - text);
	return text;
}

bool json_text_is(struct json_span value, const char *text)
{
	size_t length = strlen(text);
	size_t decoded_length;
	char *decoded;
	bool same;

	if (!json_scan_is_text(value))
		return false;
	if (memchr(value.bytes, '\\', value.length) == NULL)
		return value.length == length + 2 && memcmp(value.bytes + 1, text, length) == 0;
	decoded = json_text_decode(value, &decoded_length);
	same = decoded != NULL && decoded_length == length && memcmp(decoded, text, length) == 0;
	free(decoded);
	return same;
}
