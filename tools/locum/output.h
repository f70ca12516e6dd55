/* How rows and values are written: as JSON lines for programs, as words for people. */
#ifndef LOCUM_TOOLS_LOCUM_OUTPUT_H
#define LOCUM_TOOLS_LOCUM_OUTPUT_H

#include <stdint.h>
#include <stdio.h>

#include "db/view.h"

enum { OUTPUT_TIME_SIZE = 40 };

/* Writes one row as the members of a JSON object, without the braces, in the order of its columns. JSON
 * values go in byte for byte, but for line breaks between their tokens, which become spaces. Columns whose
 * name begins with _ are for people and left out. */
void output_members(FILE *out, const PGresult *rows, int row);

/* One of them. */
void output_member(FILE *out, const PGresult *rows, int row, const char *name);

/* The same as an object and a line of its own. */
void output_object(FILE *out, const PGresult *rows, int row);

/* Writes a string as JSON. */
void output_string(FILE *out, const char *text);

/* "2026-01-31T10:00:00.123Z". */
const char *output_time(int64_t time_us, char text[static OUTPUT_TIME_SIZE]);

/* "12s", "3m", "2h 5m", "4d": a span, rounded down. */
const char *output_span(int64_t span_us, char text[static OUTPUT_TIME_SIZE]);

/* "12s ago", "in 3m", "now". */
const char *output_ago(int64_t time_us, int64_t now_us, char text[static OUTPUT_TIME_SIZE]);

/* Writes text of many lines, each behind `indent`, with what would move a terminal's cursor made
 * harmless. */
void output_block(FILE *out, const char *indent, const char *text);

/* Prints the first character of a text, or \xNN for a byte of one that moves the cursor, or <U+202E> for one that turns
 * the direction of what follows; returns how many bytes of the text that were. */
size_t output_character(FILE *out, const char *text);

#endif
