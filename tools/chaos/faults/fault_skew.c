/* The clock of one worker is wrong: of a dispatcher, its agent and its hosts. */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tools/chaos/faults/victim.h"
#include "tools/chaos/stage/fleet.h"
#include "tools/chaos/stage/stage.h"

enum { HOUR_S = 3600, FAST = 100, LOG_MS = 10000, SLACK_MS = 60000 };
static const char RELOADED[] = "configuration reloaded";

/* bout->own. */
struct skewed {
	struct victim victim;
	int lines;         /* that its log held before the last question */
	int64_t offset_ms; /* of the clock in its log from ours, by the first answer */
	int64_t at_ms;     /* when that was asked */
};

/* --- what it takes the time to be --------------------------------------------------------------- */

static int64_t read_time(const char *line)
{
	struct tm when = { 0 };
	const char *rest = strptime(line, "%Y-%m-%dT%H:%M:%S", &when);

	return rest == NULL ? 0 : (int64_t)timegm(&when) * 1000 + strtol(rest + 1, NULL, 10);
}

/* The time at the beginning of the last line about a reload. */
static int64_t last_time(const struct bout *bout)
{
	char path[PATH_MAX];
	char *line = NULL;
	size_t room = 0;
	int64_t time_ms = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/logs/%s.log", bout->stage->folder,
		 fleet_name(bout->stage->fleet, bout->target));
	file = fopen(path, "re");
	while (file != NULL && getline(&line, &room, file) > 0)
		if (strstr(line, RELOADED) != NULL)
			time_ms = read_time(line);
	free(line);
	if (file != NULL)
		fclose(file);
	return time_ms;
}

static bool has_answered(struct bout *bout)
{
	const struct skewed *skewed = bout->own;

	return fleet_logged(bout->stage->fleet, bout->target, RELOADED) > skewed->lines;
}

/* Has it log something, and compares. */
static int ask(struct bout *bout, int64_t *offset_ms, struct error *err)
{
	struct skewed *skewed = bout->own;

	skewed->lines = fleet_logged(bout->stage->fleet, bout->target, RELOADED);
	if (fleet_signal(bout->stage->fleet, bout->target, SIGHUP, err) != 0 ||
	    bout_await(bout, has_answered, LOG_MS, "a line in its log", err) != 0)
		return -1;
	*offset_ms = last_time(bout) - clock_wall_ms();
	return 0;
}

/* --- what is done ------------------------------------------------------------------------------- */

static int skew(struct bout *bout, int seconds, int fast, struct error *err)
{
	struct skewed *skewed = victim_take(bout, sizeof(*skewed), err);

	if (skewed == NULL || stage_set_clock(bout->stage, bout->target, seconds, fast, err) != 0)
		return -1;
	skewed->at_ms = clock_monotonic_ms();
	return ask(bout, &skewed->offset_ms, err);
}

static int jump(struct bout *bout, int seconds, struct error *err)
{
	const struct skewed *skewed;

	if (skew(bout, seconds, 0, err) != 0)
		return -1;
	skewed = bout->own;
	if (llabs(skewed->offset_ms - (int64_t)seconds * 1000) < SLACK_MS)
		bout_witness(bout, "the log of process %d is %" PRId64 " ms off the time",
			     (int)skewed->victim.pid, skewed->offset_ms);
	return 0;
}

static int jump_ahead(struct bout *bout, struct error *err)
{
	return jump(bout, HOUR_S, err);
}

static int jump_back(struct bout *bout, struct error *err)
{
	return jump(bout, -HOUR_S, err);
}

static int drift(struct bout *bout, struct error *err)
{
	return skew(bout, 0, FAST, err);
}

static int64_t skew_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

static int set_right(struct bout *bout, struct error *err)
{
	return stage_set_clock(bout->stage, bout->target, 0, 0, err);
}

/* Half of what it must have gained since it was asked first. */
static int end_drift(struct bout *bout, struct error *err)
{
	const struct skewed *skewed = bout->own;
	int64_t offset_ms;
	int64_t gained_ms;

	if (skewed != NULL && skewed->at_ms > 0 && ask(bout, &offset_ms, err) == 0) {
		gained_ms = offset_ms - skewed->offset_ms;
		if (gained_ms * 2 * 1000 / FAST > clock_monotonic_ms() - skewed->at_ms)
			bout_witness(bout,
				     "the log of process %d gained %" PRId64 " ms in %" PRId64
				     " ms",
				     (int)skewed->victim.pid, gained_ms,
				     clock_monotonic_ms() - skewed->at_ms);
	}
	return set_right(bout, err);
}

/* --- the catalogue ------------------------------------------------------------------------------ */

#define SKEW(word, does, harm, undo)                                                               \
	{                                                                                          \
		.row = 14, .name = "worker-clock-" word, .stage = STAGE_CLOCK,                     \
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT | FAULT_NO_OVERLAP,                  \
		.what = "the clock of a dispatcher and its agent " does,                           \
		.tool = "a preloaded clock",                                                       \
		.witness = "the times in its log are wrong by as much",                            \
		.heals = "the clock is right again",                                               \
		.pass = "nothing happens: no decision is made by a worker's time of day",          \
		.inject = harm, .hold_ms = skew_ms, .heal = undo,                                  \
	}

const struct fault fault_skew[] = {
	SKEW("ahead", "goes forward by an hour", jump_ahead, set_right),
	SKEW("behind", "goes back by an hour", jump_back, set_right),
	SKEW("drifting", "runs a tenth too fast", drift, end_drift),
	{ 0 },
};
