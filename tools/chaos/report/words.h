/* How reports word what they tell. */
#ifndef LOCUM_TOOLS_CHAOS_REPORT_WORDS_H
#define LOCUM_TOOLS_CHAOS_REPORT_WORDS_H

#include <stdint.h>
#include <stdio.h>

#include "tools/chaos/judge/verdict.h"
#include "tools/chaos/report/digest.h"

enum { WORDS_SIZE = 32, WORDS_SENTENCE = 1024 };

/* "valid", "invalid", "unknown" */
const char *words_valid(enum verdict_valid valid);

/* What the verdict is and why, in a sentence or two. */
const char *words_sentence(const struct digest *digest, char text[static WORDS_SENTENCE]);

/* "1,234,567" */
const char *words_number(int64_t number, char text[static WORDS_SIZE]);

/* "0.412 s", "2.4 s", "41 s"; "–" for 0 or less: nothing was measured. */
const char *words_time(int64_t ms, char text[static WORDS_SIZE]);

/* What a verdict tells in figures, line by line in the order in which it is to be read. Returns the name of the i-th and
 * writes its figures in words into text; NULL behind the last. */
const char *words_figure(const struct verdict *verdict, size_t i, char text[static WORDS_SENTENCE]);

/* The whole of what must not be, of an invariant. */
const char *words_invariant(enum verdict_invariant invariant);

/* Text as a part of a page of HTML or of a picture in it: what has a meaning there is escaped, what is no UTF-8 is
 * replaced. */
void words_escape(FILE *out, const char *text);

#endif
