#include "tools/chaos/meter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

enum { REDRAW_MS = 100, BAR_WIDTH = 20, LINE_MAX_SIZE = 256, COLUMNS_DEFAULT = 80 };

void meter_init(struct meter *meter, bool wanted)
{
	const char *term = getenv("TERM");

	*meter = (struct meter){
		.on = wanted && isatty(STDERR_FILENO) != 0 && term != NULL && term[0] != '\0' &&
		      strcmp(term, "dumb") != 0,
		.began_ms = clock_monotonic_ms(),
	};
}

static int columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ? COLUMNS_DEFAULT
										: size.ws_col;
}

static void bar(const struct run_progress *progress, char text[static BAR_WIDTH + 3])
{
	int full = progress->all == 0 ? 0 : progress->done * BAR_WIDTH / progress->all;

	text[0] = '[';
	memset(text + 1, ' ', BAR_WIDTH);
	memset(text + 1, '=', (size_t)full);
	text[BAR_WIDTH + 1] = ']';
	text[BAR_WIDTH + 2] = '\0';
}

void meter_show(void *to, const struct run_progress *progress)
{
	struct meter *meter = to;
	int64_t now_ms = clock_monotonic_ms();
	int64_t past_s = (now_ms - meter->began_ms) / 1000;
	char drawn[BAR_WIDTH + 3] = "";
	char of[32] = "";
	char line[LINE_MAX_SIZE];

	if (!meter->on || (meter->shown && now_ms - meter->drawn_ms < REDRAW_MS))
		return;
	meter->drawn_ms = now_ms;
	meter->shown = true;
	if (progress->all > 0)
		bar(progress, drawn);
	if (progress->acts > 0)
		snprintf(of, sizeof(of), "/%d", progress->acts);
	snprintf(line, sizeof(line),
		 "%" PRId64 ":%02" PRId64 " act %d%s %s %s %s, %" PRId64 " jobs", past_s / 60,
		 past_s % 60, progress->act_number, of, progress->act, drawn, progress->what,
		 progress->jobs);
	fprintf(stderr, "\r\033[K%.*s", columns() - 1, line);
	fflush(stderr);
}

void meter_clear(struct meter *meter)
{
	if (!meter->shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	meter->shown = false;
}
