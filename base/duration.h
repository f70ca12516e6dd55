/* Durations as people write them: "250ms", "5s", "1h30m", "2d". */
#ifndef LOCUM_BASE_DURATION_H
#define LOCUM_BASE_DURATION_H

#include <stdint.h>

#include "base/error.h"

enum { DURATION_TEXT_SIZE = 32 };
#define DURATION_MAX_MS ((int64_t)3650 * 24 * 3600 * 1000) /* ten years: more is a typing error */

/* Reads one or more NUMBER UNIT pairs, units d h m s ms, from large to small. A bare number has no
 * unit and is refused. Returns 0 and sets *ms, or -1 with ERROR_INPUT. */
int duration_read(const char *text, int64_t *ms, struct error *err);

/* Writes the shortest exact form ("1h30m", "250ms", "0s") and returns text. */
const char *duration_text(int64_t ms, char text[static DURATION_TEXT_SIZE]);

#endif
