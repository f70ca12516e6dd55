#include "base/duration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int64_t ms;
} UNITS[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};
enum { UNIT_COUNT = sizeof(UNITS) / sizeof(UNITS[0]) };

/* The index of the unit that the letters at text spell, or -1. */
static int unit_find(const char *text, size_t length)
{
	for (int i = 0; i < UNIT_COUNT; i++)
		if (strlen(UNITS[i].name) == length && strncmp(UNITS[i].name, text, length) == 0)
			return i;
	return -1;
}

enum { NO_PAIR = -1, TOO_LONG = -2 };

/* Reads one NUMBER UNIT pair at *text whose unit comes after `last`; returns the unit or what is wrong. */
static int pair_read(const char **text, int last, int64_t *sum)
{
	size_t digits = strspn(*text, "0123456789");
	const char *name = *text + digits;
	size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz");
	int unit = unit_find(name, letters);
	long long number;

	if (digits == 0 || unit <= last)
		return NO_PAIR;
	if (digits > 15)
		return TOO_LONG;
	number = strtoll(*text, NULL, 10);
	if (number > DURATION_MAX_MS / UNITS[unit].ms)
		return TOO_LONG;
	*sum += number * UNITS[unit].ms;
	*text = name + letters;
	return *sum > DURATION_MAX_MS ? TOO_LONG : unit;
}

int duration_read(const char *text, int64_t *ms, struct error *err)
{
	const char *rest = text;
	int64_t sum = 0;
	int unit = -1;

	do {
		unit = pair_read(&rest, unit, &sum);
		if (unit == TOO_LONG)
			return error_set(err, ERROR_INPUT,
					 "\"%.60s\" is too long: at most 3650d (ten years)", text);
		if (unit < 0)
			return error_set(err, ERROR_INPUT,
					 "\"%.60s\" is not a duration: write a number with a unit, "
					 "such as 250ms, 5s, 10m, 1h30m or 7d",
					 text);
	} while (*rest != '\0');
	*ms = sum;
	return 0;
}

const char *duration_text(int64_t ms, char text[static DURATION_TEXT_SIZE])
{
	size_t used = 0;

	text[0] = '\0';
	for (int i = 0; i < UNIT_COUNT; i++) {
		int64_t number = ms / UNITS[i].ms;

		if (number == 0)
			continue;
		ms -= number * UNITS[i].ms;
		used += (size_t)snprintf(text + used, DURATION_TEXT_SIZE - used, "%lld%s",
					 (long long)number, UNITS[i].name);
	}
	if (used == 0)
		snprintf(text, DURATION_TEXT_SIZE, "0s");
	return text;
}
