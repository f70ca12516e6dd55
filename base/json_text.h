/* Strings of a JSON text that base/json_scan.h has checked. Any thread. */
#ifndef LOCUM_BASE_JSON_TEXT_H
#define LOCUM_BASE_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json_scan.h"

/* Returns the text of a string, the caller's to free, with a NUL behind it; it can hold others. Halves of
 * surrogate pairs become U+FFFD. NULL when the value is no string, or memory ends. */
char *json_text_decode(struct json_span value, size_t *length);

/* Whether the value is a string of exactly this text. */
bool json_text_is(struct json_span value, const char *text);

/* The value of the four hexadecimal digits of \uXXXX, or -1 when there are none before end. */
int json_text_hex(const char *digits, const char *end);

#endif
