/* Text that came from outside. Any thread may call everything here. */
#ifndef LOCUM_BASE_TEXT_H
#define LOCUM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* How many bytes the valid UTF-8 character at text takes (1 to 4), or 0 when there is none. NUL counts
 * as invalid: PostgreSQL keeps none. */
size_t text_character(const char *text, size_t length);

/* How many bytes from the start on are valid UTF-8 without NUL: `length` when all are. */
size_t text_valid(const char *bytes, size_t length);

/* Returns a new string, the caller's to free: `length` bytes with every byte that is not part of valid
 * UTF-8, and every NUL, written as \xNN. NULL when memory ends. *cleaned gets its length. */
char *text_clean(const char *bytes, size_t length, size_t *cleaned);

/* Checks a name of a queue, handler or agent: 1 to LIMIT_NAME_BYTES bytes of valid UTF-8 without
 * control characters. `what` names it in the error ("queue"). Returns 0, or -1 with ERROR_INPUT. */
int text_check_name(const char *what, const char *name, struct error *err);

/* Writes text as it may stand inside double quotes on one line: quotes, backslashes and control
 * characters escaped, cut to fit with "…". Always ends out with NUL. Returns out. */
char *text_quote(const char *text, char *out, size_t size);

/* Whether two texts are the same; NULL is the same as NULL only. */
bool text_same(const char *a, const char *b);

/* Whether two NULL-terminated lists hold the same texts; NULL is an empty list. */
bool text_same_list(char *const *a, char *const *b);

#endif
