#include "agent/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"

enum { FIRST_SIZE = 1024, HEADING_BYTES = 64, ESCAPE_BYTES = 4 };

/* Returns how many of `more` bytes still fit before the ring turns. */
static size_t grow(struct output *output, size_t more)
{
	size_t need = (size_t)output->total + more;
	size_t size = output->size == 0 ? FIRST_SIZE : output->size;
	char *ring;

	while (size < need && size < LIMIT_LOG_BYTES)
		size *= 2;
	if (size > LIMIT_LOG_BYTES)
		size = LIMIT_LOG_BYTES;
	if (size > output->size) {
		ring = realloc(output->ring, size);
		if (ring != NULL) {
			output->ring = ring;
			output->size = size;
		}
	}
	return output->size - (size_t)output->total < more ? output->size - (size_t)output->total
							   : more;
}

/* Returns how many bytes were taken by the part of the ring that was never filled yet. */
static size_t fill(struct output *output, const char *bytes, size_t length)
{
	size_t fits;

	if (output->total >= LIMIT_LOG_BYTES)
		return 0;
	fits = grow(output, length);
	if (fits > 0)
		memcpy(output->ring + output->total, bytes, fits);
	output->total += fits;
	return fits;
}

static void turn(struct output *output, const char *bytes, size_t length)
{
	size_t skipped = length > LIMIT_LOG_BYTES ? length - LIMIT_LOG_BYTES : 0;
	size_t at = (size_t)((output->total + skipped) % LIMIT_LOG_BYTES);
	size_t left = length - skipped;
	size_t first = left < LIMIT_LOG_BYTES - at ? left : LIMIT_LOG_BYTES - at;

	memcpy(output->ring + at, bytes + skipped, first);
	memcpy(output->ring, bytes + skipped + first, left - first);
	output->total += length;
}

void output_add(struct output *output, const char *bytes, size_t length)
{
	size_t filled = fill(output, bytes, length);

	if (filled == length)
		return;
	if (output->size == LIMIT_LOG_BYTES)
		turn(output, bytes + filled, length - filled);
	else
		output->lost += length - filled;
}

/* The ring's bytes in the order they came in. */
static char *unroll(const struct output *output, size_t *length)
{
	size_t kept = output->total < output->size ? (size_t)output->total : output->size;
	size_t at = output->total > output->size ? (size_t)(output->total % output->size) : 0;
	char *bytes = malloc(kept + 1);

	if (bytes == NULL)
		return NULL;
	memcpy(bytes, output->ring + at, kept - at);
	memcpy(bytes + kept - at, output->ring, at);
	*length = kept;
	return bytes;
}

/* The bytes that the character at text takes when it is cleaned; *step is what it takes now. */
static size_t cleaned_bytes(const char *text, size_t length, size_t *step)
{
	size_t character = text_character(text, length);

	*step = character == 0 ? 1 : character;
	return character == 0 ? ESCAPE_BYTES : character;
}

static size_t cleaned_length(const char *text, size_t length)
{
	size_t cleaned = 0;
	size_t step;

	for (size_t at = 0; at < length; at += step)
		cleaned += cleaned_bytes(text + at, length - at, &step);
	return cleaned;
}

/* Where the tail begins that fits into `room` when it is cleaned. */
static size_t tail_start(const char *text, size_t length, size_t room)
{
	size_t cleaned = cleaned_length(text, length);
	size_t at = 0;
	size_t step;

	for (; cleaned > room; at += step)
		cleaned -= cleaned_bytes(text + at, length - at, &step);
	return at;
}

/* What is left of a character whose beginning the ring has overwritten. */
static size_t torn_bytes(const char *text, size_t length)
{
	size_t at = 0;

	while (at < length && at < 3 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at++;
	return at;
}

static char *with_heading(uint64_t dropped, const char *bytes, size_t count, size_t *length)
{
	char heading[HEADING_BYTES];
	size_t used = (size_t)snprintf(heading, sizeof(heading),
				       "[%" PRIu64 " earlier bytes dropped]\n", dropped);
	char *cleaned = text_clean(bytes, count, length);
	char *text = cleaned == NULL ? NULL : realloc(cleaned, used + *length + 1);

	if (text == NULL) {
		free(cleaned);
		return NULL;
	}
	memmove(text + used, text, *length + 1);
	memcpy(text, heading, used);
	*length += used;
	return text;
}

char *output_text(const struct output *output, size_t *length)
{
	size_t kept = 0;
	size_t at = 0;
	char *bytes = output->total == 0 ? NULL : unroll(output, &kept);
	char *text;

	if (bytes == NULL)
		return NULL;
	if (output->total > kept || output->lost > 0 ||
	    cleaned_length(bytes, kept) > LIMIT_LOG_BYTES) {
		at = output->total > kept ? torn_bytes(bytes, kept) : 0;
		at += tail_start(bytes + at, kept - at, LIMIT_LOG_BYTES - HEADING_BYTES);
		text = with_heading(output->total + output->lost - (kept - at), bytes + at,
				    kept - at, length);
	} else {
		text = text_clean(bytes, kept, length);
	}
	free(bytes);
	return text;
}

void output_free(struct output *output)
{
	free(output->ring);
	*output = (struct output){ 0 };
}
