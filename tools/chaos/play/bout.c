#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/plan/chance.h"
#include "tools/chaos/stage/stage.h"

enum { TEXT_MAX = 512, PAUSE_LEAST_MS = 1, PAUSE_MOST_MS = 50 };

unsigned bout_draw(struct bout *bout, unsigned below)
{
	return chance_below(&bout->chance, below);
}

/* A record is a line. */
static void keep_on_one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ')
			*text = ' ';
}

static void write_text(const struct bout *bout, const char *kind, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void write_text(const struct bout *bout, const char *kind, const char *format, va_list args)
{
	char text[TEXT_MAX];

	vsnprintf(text, sizeof(text), format, args);
	keep_on_one_line(text);
	history_write(&bout->stage->nemesis, "%s %d %s", kind, bout->number, text);
}

void bout_witness(struct bout *bout, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_text(bout, "witness", format, args);
	va_end(args);
	bout->witnesses++;
}

void bout_broken(struct bout *bout, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_text(bout, "broken", format, args);
	va_end(args);
}

void bout_late(struct bout *bout)
{
	history_write(&bout->stage->nemesis, "late %d", bout->number);
}

/* What lasts longer than was asked for is the machine's doing. */
static void pause_for(struct bout *bout, int pause_ms)
{
	const int64_t began_ms = clock_monotonic_ms();

	poll(NULL, 0, pause_ms);
	bout->stalled_ms += clock_monotonic_ms() - began_ms - pause_ms;
}

int bout_await(struct bout *bout, bool (*holds)(struct bout *bout), int64_t timeout_ms,
	       const char *what, struct error *err)
{
	const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	int pause_ms = PAUSE_LEAST_MS;

	bout->stalled_ms = 0;
	while (!holds(bout)) {
		if (atomic_load(bout->stage->stop))
			return error_set(err, ERROR_RETRY, "the run was cut off");
		if (clock_monotonic_ms() >= deadline_ms)
			return error_set(err, ERROR_RETRY, "%s did not happen within %lld ms", what,
					 (long long)timeout_ms);
		pause_for(bout, pause_ms);
		pause_ms = pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause_ms * 2;
	}
	return 0;
}
