#include "tools/chaos/play/meter.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	REDRAW_MS = 250,
	BAR_WIDTH = 10,
	COLUMNS_DEFAULT = 80,
	COLUMNS_WIDE = 72,
	PART_SIZE = 48,
	MINUTE_S = 60,
	TEN_S = 10
};

/* --- drawing ------------------------------------------------------------------------------------ */

static int columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ? COLUMNS_DEFAULT
										: size.ws_col;
}

/* As exact as it is known. */
static void write_left(const struct meter *meter, char left[static PART_SIZE])
{
	const int64_t left_s = (meter->ends_ms - clock_monotonic_ms()) / 1000;

	left[0] = '\0';
	if (meter->ends_ms == 0 || left_s < TEN_S)
		return;
	if (left_s < 2 * MINUTE_S)
		snprintf(left, PART_SIZE, " (%" PRId64 " s left)", left_s / TEN_S * TEN_S);
	else
		snprintf(left, PART_SIZE, " (%" PRId64 " min left)",
			 (left_s + MINUTE_S / 2) / MINUTE_S);
}

/* The last column stays free, where some terminals would begin a new line. */
static void draw(struct meter *meter)
{
	const int width = columns();
	const int64_t past_s = (clock_monotonic_ms() - meter->began_ms) / 1000;
	char line[METER_TEXT_SIZE + 2 * PART_SIZE];
	char left[PART_SIZE];

	write_left(meter, left);
	snprintf(line, sizeof(line), "%" PRId64 ":%02" PRId64 "%s %s", past_s / MINUTE_S,
		 past_s % MINUTE_S, left, width < COLUMNS_WIDE ? meter->narrow : meter->wide);
	fprintf(stderr, "\r\033[K%.*s", width - 1, line);
	fflush(stderr);
	meter->shown = true;
}

static void erase(struct meter *meter)
{
	if (!meter->shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	meter->shown = false;
}

/* A fault may take long: the time goes on meanwhile. */
static void *keep_drawing(void *argument)
{
	struct meter *meter = argument;

	pthread_mutex_lock(&meter->lock);
	while (!meter->ends) {
		int64_t until_ms = clock_monotonic_ms() + REDRAW_MS;
		struct timespec until = { until_ms / 1000, until_ms % 1000 * 1000000 };

		pthread_cond_timedwait(&meter->changed, &meter->lock, &until);
		if (meter->wide[0] != '\0' && !meter->ends)
			draw(meter);
	}
	pthread_mutex_unlock(&meter->lock);
	return NULL;
}

/* --- what is shown ------------------------------------------------------------------------------ */

static void draw_bar(const struct run_progress *progress, char bar[static BAR_WIDTH + 1])
{
	int full = progress->all == 0 ? 0 : progress->done * BAR_WIDTH / progress->all;

	memset(bar, ' ', BAR_WIDTH);
	memset(bar, '=', (size_t)full);
	bar[BAR_WIDTH] = '\0';
}

void meter_show(void *to, const struct run_progress *progress)
{
	struct meter *meter = to;
	char bar[BAR_WIDTH + 1];
	char acts[PART_SIZE] = "";
	char bouts[PART_SIZE] = "";
	char whole[BAR_WIDTH + PART_SIZE + 8] = "";
	char jobs[PART_SIZE] = "";

	if (!meter->on)
		return;
	draw_bar(progress, bar);
	if (progress->acts > 0)
		snprintf(acts, sizeof(acts), "/%d", progress->acts);
	if (progress->all > 0) {
		snprintf(bouts, sizeof(bouts), "%d/%d ", progress->done + 1, progress->all);
		snprintf(whole, sizeof(whole), "[%s] %s", bar, bouts);
	}
	if (progress->jobs > 0)
		snprintf(jobs, sizeof(jobs), ", %" PRId64 " jobs", progress->jobs);
	pthread_mutex_lock(&meter->lock);
	meter->ends_ms = progress->left_ms < 0 ? 0 : clock_monotonic_ms() + progress->left_ms;
	snprintf(meter->wide, sizeof(meter->wide), "act %d%s %s %s%s%s", progress->act_number, acts,
		 progress->act, whole, progress->what, jobs);
	snprintf(meter->narrow, sizeof(meter->narrow), "%s %s%s", progress->act, bouts,
		 progress->what);
	pthread_cond_signal(&meter->changed);
	pthread_mutex_unlock(&meter->lock);
}

/* ------------------------------------------------------------------------------------------------ */

static bool is_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) != 0 && term != NULL && term[0] != '\0' &&
	       strcmp(term, "dumb") != 0;
}

/* Signals are for the thread that plays. */
static bool start(struct meter *meter)
{
	sigset_t all;
	sigset_t usual;
	int status;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &usual);
	status = pthread_create(&meter->thread, NULL, keep_drawing, meter);
	pthread_sigmask(SIG_SETMASK, &usual, NULL);
	return status == 0;
}

void meter_init(struct meter *meter, bool wanted)
{
	pthread_condattr_t attributes;

	*meter = (struct meter){ .began_ms = clock_monotonic_ms() };
	pthread_mutex_init(&meter->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&meter->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	meter->on = wanted && is_terminal() && start(meter);
}

void meter_fini(struct meter *meter)
{
	if (meter->on) {
		pthread_mutex_lock(&meter->lock);
		meter->ends = true;
		erase(meter);
		pthread_cond_signal(&meter->changed);
		pthread_mutex_unlock(&meter->lock);
		pthread_join(meter->thread, NULL);
	}
	pthread_cond_destroy(&meter->changed);
	pthread_mutex_destroy(&meter->lock);
}
