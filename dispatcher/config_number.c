#include "dispatcher/config_number.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { DIGITS_MAX = 18 }; /* always fit in 63 bits */
enum { QUOTED_SIZE = 80 };

static const char UNITS[] = "KMGT"; /* each 1024 times the one before */

int config_number_read(const char *text, int64_t least, int64_t most, int64_t *number,
		       struct error *err)
{
	size_t digits = strspn(text, "0123456789");
	char quoted[QUOTED_SIZE];
	int64_t value = -1;

	if (digits > 0 && digits <= DIGITS_MAX && text[digits] == '\0')
		value = strtoll(text, NULL, 10);
	if (value < 0 || value < least || value > most)
		return error_set(err, ERROR_INPUT,
				 "\"%s\" is not a whole number from %" PRId64 " to %" PRId64,
				 text_quote(text, quoted, sizeof(quoted)), least, most);
	*number = value;
	return 0;
}

/* The factor of a unit, 1 for none, 0 for what is no unit. */
static int64_t factor(const char *unit)
{
	const char *found;

	if (unit[0] == '\0')
		return 1;
	found = strchr(UNITS, unit[0]);
	if (found == NULL || unit[1] != '\0')
		return 0;
	return (int64_t)1 << (10 * (found - UNITS + 1));
}

int config_number_size(const char *text, int64_t least, int64_t *bytes, struct error *err)
{
	size_t digits = strspn(text, "0123456789");
	int64_t unit = factor(text + digits);
	char quoted[QUOTED_SIZE];
	char least_text[CONFIG_NUMBER_TEXT_SIZE];
	int64_t number;

	text_quote(text, quoted, sizeof(quoted));
	if (digits == 0 || digits > DIGITS_MAX || unit == 0)
		return error_set(
			err, ERROR_INPUT,
			"\"%s\" is not a size: write bytes with K, M, G or T, such as 512M",
			quoted);
	number = strtoll(text, NULL, 10);
	if (number > INT64_MAX / unit)
		return error_set(err, ERROR_INPUT, "\"%s\" is too large", quoted);
	if (number * unit < least)
		return error_set(err, ERROR_INPUT, "\"%s\" is too small: at least %s", quoted,
				 config_number_text(least, least_text));
	*bytes = number * unit;
	return 0;
}

const char *config_number_text(int64_t bytes, char text[static CONFIG_NUMBER_TEXT_SIZE])
{
	size_t unit = 0;

	while (bytes > 0 && bytes % 1024 == 0 && UNITS[unit] != '\0') {
		bytes /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(text, CONFIG_NUMBER_TEXT_SIZE, "%" PRId64, bytes);
	else
		snprintf(text, CONFIG_NUMBER_TEXT_SIZE, "%" PRId64 "%c", bytes, UNITS[unit - 1]);
	return text;
}
