#include "tools/chaos/play/burden.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "tools/chaos/play/load.h"

enum {
	JOBS = 8,
	WORK_DEATHS =
		2, /* so many death intervals: a victim that is cut off does not end them before its fence */
	CHOOSY_MS = 500, /* until then only the one that is wanted will do */
	WAIT_MS = 3000,
	LOOK_MS = 10,
	NUMBER_SIZE = 24
};

struct burden {
	struct stage *stage;
	char first[NUMBER_SIZE]; /* of its jobs */
	char last[NUMBER_SIZE];
};

/* One by one, so that several dispatchers get some. Every other one is for the user's handler, whose runs are to be hurt; it
 * need not work as long as it is asked to. */
static int submit(struct burden *burden)
{
	const bool user = burden->stage->plan->user_handler != NULL;
	const int64_t work_ms = WORK_DEATHS * burden->stage->act->intervals.death_ms;
	struct error err;
	char payload[48];
	int64_t job = 0;

	snprintf(payload, sizeof(payload), "{\"work_us\": %" PRId64 "}", work_ms * 1000);
	for (int i = 0; i < JOBS; i++) {
		if (load_submit(burden->stage->load, user && i % 2 == 0 ? "user" : "command",
				payload, &job, &err) != 0)
			return -1;
		if (i == 0)
			snprintf(burden->first, NUMBER_SIZE, "%" PRId64, job);
	}
	snprintf(burden->last, NUMBER_SIZE, "%" PRId64, job);
	return 0;
}

static bool bears(const struct burden *burden, int place)
{
	struct stage *stage = burden->stage;
	char pid[NUMBER_SIZE];
	const char *const params[] = { pid, burden->first, burden->last };
	int64_t held = 0;

	snprintf(pid, sizeof(pid), "%d", (int)fleet_pid(stage->fleet, place));
	return server_run(stage->server, "claim_held", params, 3, &held, NULL) == 0 && held > 0;
}

/* -1: nobody. */
static int find_bearer(const struct burden *burden, int place, int spared, bool choosy)
{
	const int size = fleet_size(burden->stage->fleet);
	const int from = place < 0 ? 0 : place;

	if (bears(burden, from))
		return from;
	for (int i = 1; i < size && (place < 0 || !choosy); i++) {
		const int other = (from + i) % size;

		if (other != spared && bears(burden, other))
			return other;
	}
	return -1;
}

int burden_lay(struct stage *stage, int place, int spared)
{
	struct burden burden = { .stage = stage };
	const int64_t began_ms = clock_monotonic_ms();
	int64_t past_ms = 0;

	if (submit(&burden) != 0)
		return place;
	for (; past_ms < WAIT_MS && !atomic_load(stage->stop);
	     past_ms = clock_monotonic_ms() - began_ms) {
		int bearer = find_bearer(&burden, place, spared, past_ms < CHOOSY_MS);

		if (bearer >= 0)
			return place < 0 ? place : bearer;
		poll(NULL, 0, LOOK_MS);
	}
	return place;
}
