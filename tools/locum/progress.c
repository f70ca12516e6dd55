#include "tools/locum/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"

enum { REDRAW_MS = 100, BAR_WIDTH = 30, BAR_NEEDS = 80 /* columns, with all that follows it */ };

static bool terminal_can(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) != 0 && term != NULL && term[0] != '\0' &&
	       strcmp(term, "dumb") != 0;
}

/* A line that wraps cannot be drawn over. */
static bool has_room(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ||
	       size.ws_col >= BAR_NEEDS;
}

void progress_init(struct progress *progress, bool wanted, int64_t size)
{
	const char *no_color = getenv("NO_COLOR");

	*progress = (struct progress){
		.on = wanted && terminal_can(),
		.plain = no_color != NULL && no_color[0] != '\0',
		.size = size,
		.began_ms = clock_monotonic_ms(),
	};
}

static void draw_bar(int64_t bytes, int64_t size)
{
	int full = (int)(bytes >= size ? BAR_WIDTH : bytes * BAR_WIDTH / size);

	fputs("[\033[32m", stderr);
	for (int i = 0; i < BAR_WIDTH; i++)
		fputs(i < full ? "=" : " ", stderr);
	fputs("\033[0m] ", stderr);
}

/* A byte that is left takes as long as one that is done. */
static void show_remaining(const struct progress *progress, int64_t past_ms, int64_t bytes)
{
	char text[DURATION_TEXT_SIZE];
	int64_t left;

	if (bytes <= 0 || bytes >= progress->size)
		return;
	left = (int64_t)((double)past_ms / 1000 * (double)(progress->size - bytes) / (double)bytes);
	fprintf(stderr, ", %s left", duration_text((left + 1) * 1000, text));
}

void progress_show(struct progress *progress, int64_t jobs, int64_t bytes)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t past_ms = now_ms - progress->began_ms;

	if (!progress->on || now_ms - progress->drawn_ms < REDRAW_MS)
		return;
	progress->drawn_ms = now_ms;
	progress->shown = true;
	fputs("\r\033[K", stderr);
	if (progress->size > 0) {
		if (!progress->plain && has_room())
			draw_bar(bytes, progress->size);
		fprintf(stderr, "%3" PRId64 "%%  ",
			bytes >= progress->size ? 100 : bytes * 100 / progress->size);
	}
	fprintf(stderr, "%" PRId64 " jobs, %" PRId64 "/s", jobs,
		jobs * 1000 / (past_ms > 0 ? past_ms : 1));
	show_remaining(progress, past_ms, bytes);
	fflush(stderr);
}

void progress_clear(struct progress *progress)
{
	if (!progress->shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress->shown = false;
}
