#include "tools/bench/source.h"

#include <errno.h>
#include <locum.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { PAYLOAD_SIZE = 192, NS_PER_S = 1000000000 };

struct source {
	const struct source_options *options;
	struct locum *locum;
	struct locum_batch *batch;
	int submitted;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void wait_until(int64_t monotonic_ms)
{
	const struct timespec until = { monotonic_ms / 1000, (monotonic_ms % 1000) * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static int fail(const struct locum_error *said, struct error *err)
{
	return error_set(err, ERROR_FATAL, "submission: %s", said->message);
}

/* As long as the payload of sql/fill_bare.sql. */
static void make_payload(char payload[static PAYLOAD_SIZE], int number)
{
	snprintf(payload, PAYLOAD_SIZE,
		 "{\"at\": %020lld, \"order\": \"%032d\", \"amount\": %3d, \"currency\": \"EUR\", "
		 "\"note\": \"p\"}",
		 (long long)now_ns(), number, number % 1000);
	/* JSON has no leading zeros. */
	for (char *digit = payload + strlen("{\"at\": "); *digit == '0'; digit++)
		*digit = ' ';
}

static int submit_one(struct source *source, struct error *err)
{
	struct locum_error said;
	char payload[PAYLOAD_SIZE];

	make_payload(payload, source->submitted);
	if (locum_submit(source->locum, source->options->handler, payload, NULL, &said) < 0)
		return fail(&said, err);
	source->submitted++;
	return 0;
}

/* Whether so many jobs have been submitted as there are to be. */
static bool is_done(const struct source *source)
{
	return source->options->jobs > 0 && source->submitted >= source->options->jobs;
}

static int submit_batch(struct source *source, struct error *err)
{
	struct locum_error said;
	char payload[PAYLOAD_SIZE];

	for (int i = 0; i < source->options->batch && !is_done(source); i++) {
		make_payload(payload, source->submitted);
		if (locum_batch_add(source->batch, source->options->handler, payload, NULL,
				    &said) != 0)
			return fail(&said, err);
		source->submitted++;
	}
	if (locum_batch_submit(source->locum, source->batch, NULL, NULL, &said) != 0)
		return fail(&said, err);
	return 0;
}

static int submit_all(struct source *source, struct error *err)
{
	const struct source_options *options = source->options;
	int64_t began_ms = clock_monotonic_ms();
	int64_t due_ms = began_ms;

	while (!is_done(source) &&
	       (options->seconds == 0 ||
		clock_monotonic_ms() - began_ms < (int64_t)options->seconds * 1000)) {
		int status = options->batch == 1 ? submit_one(source, err)
						 : submit_batch(source, err);

		if (status != 0)
			return -1;
		if (options->every_ms == 0)
			continue;
		due_ms += options->every_ms;
		if (options->jitter_ms > 0)
			due_ms = clock_monotonic_ms() + options->every_ms +
				 clock_jitter_ms(options->jitter_ms);
		wait_until(due_ms);
	}
	return 0;
}

int source_run(const struct source_options *options, int *jobs, double *seconds, struct error *err)
{
	struct source source = { .options = options };
	struct locum_error said;
	int64_t began_ns;
	int status = -1;

	source.locum = locum_connect(options->conninfo, &said);
	source.batch = source.locum == NULL ? NULL : locum_batch_new(&said);
	if (source.batch == NULL) {
		fail(&said, err);
		goto out;
	}
	began_ns = now_ns();
	if (submit_all(&source, err) != 0)
		goto out;
	*seconds = (double)(now_ns() - began_ns) / NS_PER_S;
	*jobs = source.submitted;
	status = 0;
out:
	locum_batch_free(source.batch);
	locum_close(source.locum);
	return status;
}
