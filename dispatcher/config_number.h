/* Whole numbers and sizes as people write them. */
#ifndef LOCUM_DISPATCHER_CONFIG_NUMBER_H
#define LOCUM_DISPATCHER_CONFIG_NUMBER_H

#include <stdint.h>

#include "base/error.h"

enum { CONFIG_NUMBER_TEXT_SIZE = 24 };

/* Reads decimal digits, nothing else, from least to most. Returns 0 and sets *number, or -1 with
 * ERROR_INPUT. */
int config_number_read(const char *text, int64_t least, int64_t most, int64_t *number,
		       struct error *err);

/* Reads bytes: digits, and K, M, G or T for powers of 1024. */
int config_number_size(const char *text, int64_t least, int64_t *bytes, struct error *err);

/* Writes the shortest exact form of a size ("512M") and returns text. */
const char *config_number_text(int64_t bytes, char text[static CONFIG_NUMBER_TEXT_SIZE]);

#endif
