#include "tools/chaos/report/timeline.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/history/array.h"
#include "tools/chaos/history/history.h"

/* What the database's clock said when. */
struct tick {
	int64_t at_us;
	int64_t database_us;
};

struct reading {
	struct timeline *timeline;
	struct tick *ticks;
	size_t tick_count;
	bool full; /* memory ended */
};

int64_t timeline_slice_us(const struct timeline *timeline)
{
	int64_t slice_us = (timeline->to_us - timeline->from_us) / TIMELINE_SLICES;

	return slice_us < 1 ? 1 : slice_us;
}

static size_t slice_of(const struct timeline *timeline, int64_t at_us)
{
	int64_t slice = (at_us - timeline->from_us) / timeline_slice_us(timeline);

	if (slice < 0)
		return 0;
	return slice >= TIMELINE_SLICES ? TIMELINE_SLICES - 1 : (size_t)slice;
}

/* As array_grow; that memory ended is noted. */
static void *grow(struct reading *reading, void *array, size_t *count, size_t size)
{
	void *place = array_grow(array, count, size);

	reading->full = reading->full || place == NULL;
	return place;
}

typedef void take_record(struct reading *reading, void *to, int64_t at_us, char **words,
			 size_t count);

/* What cannot be read is left out: the verdict says that a history is cut. */
static void read_history(struct reading *reading, const char *folder, const char *name,
			 take_record *take, void *to)
{
	struct error err = { ERROR_NONE, "", "" };
	struct history_reader *reader = history_reader_open(folder, name, &err);
	int64_t at_us;
	char **words;
	size_t count;

	if (reader == NULL)
		return;
	while (!reading->full && history_reader_next(reader, &at_us, &words, &count, &err) == 1)
		take(reading, to, at_us, words, count);
	history_reader_close(reader);
}

/* --- a dispatcher ------------------------------------------------------------------------------- */

static void begin_life(struct reading *reading, struct timeline_lane *lane, int64_t at_us,
		       const char *incarnation)
{
	struct timeline_life *life = grow(reading, &lane->lives, &lane->life_count, sizeof(*life));

	if (life == NULL)
		return;
	snprintf(life->incarnation, sizeof(life->incarnation), "%s", incarnation);
	life->from_us = at_us;
	life->to_us = at_us;
}

/* Answers that say that the database has it, each in the words JOB:VERDICT. */
static uint32_t count_accepted(char **words, size_t count)
{
	uint32_t accepted = 0;

	for (size_t i = 2; i < count; i++) {
		const char *verdict = strchr(words[i], ':');

		accepted += verdict != NULL &&
			    (strcmp(verdict, ":accepted") == 0 || strcmp(verdict, ":mine") == 0);
	}
	return accepted;
}

static void take_worker(struct reading *reading, void *to, int64_t at_us, char **words,
			size_t count)
{
	struct timeline *timeline = reading->timeline;
	struct timeline_lane *lane = to;
	size_t slice = slice_of(timeline, at_us);
	const char *kind = words[0];
	int64_t *fence;

	if (strcmp(kind, "closed") == 0)
		return;
	if (strcmp(kind, "register") == 0 && count > 1)
		begin_life(reading, lane, at_us, words[1]);
	if (lane->life_count > 0)
		lane->lives[lane->life_count - 1].to_us = at_us;
	if (strcmp(kind, "claim") == 0 && count > 3) {
		lane->claimed[slice] += (uint32_t)(count - 3);
	} else if (strcmp(kind, "answer") == 0) {
		timeline->ended[slice] += count_accepted(words, count);
	} else if (strcmp(kind, "settled") == 0) {
		timeline->ended[slice]++;
	} else if (strcmp(kind, "stop") == 0 && lane->life_count > 0) {
		lane->lives[lane->life_count - 1].stopped = true;
	} else if (strcmp(kind, "fence") == 0) {
		fence = grow(reading, &lane->fences_us, &lane->fence_count, sizeof(*fence));
		if (fence != NULL)
			*fence = at_us;
	}
}

/* --- the database ------------------------------------------------------------------------------- */

static void take_nemesis(struct reading *reading, void *to, int64_t at_us, char **words,
			 size_t count)
{
	struct tick *tick;

	(void)to;
	if (strcmp(words[0], "clock") != 0 || count < 3)
		return;
	tick = grow(reading, &reading->ticks, &reading->tick_count, sizeof(*tick));
	if (tick != NULL)
		*tick = (struct tick){ at_us, strtoll(words[2], NULL, 10) };
}

/* When that was by the monotonic clock: by the tick that is nearest. -1: nobody knows. */
static int64_t monotonic_us(const struct reading *reading, int64_t database_us)
{
	const struct tick *nearest = NULL;

	for (size_t i = 0; i < reading->tick_count; i++) {
		const struct tick *tick = &reading->ticks[i];

		if (nearest == NULL || llabs(tick->database_us - database_us) <
					       llabs(nearest->database_us - database_us))
			nearest = tick;
	}
	return nearest == NULL ? -1 : nearest->at_us + database_us - nearest->database_us;
}

static struct timeline_life *find_life(struct timeline *timeline, const char *incarnation,
				       struct timeline_lane **lane)
{
	for (size_t i = 0; i < timeline->lane_count; i++) {
		*lane = &timeline->lanes[i];
		for (size_t j = 0; j < (*lane)->life_count; j++)
			if (strcmp((*lane)->lives[j].incarnation, incarnation) == 0)
				return &(*lane)->lives[j];
	}
	return NULL;
}

/* Deaths, and the claims that were taken from the dead. */
static void take_database(struct reading *reading, void *to, int64_t at_us, char **words,
			  size_t count)
{
	struct timeline_lane *lane = NULL;
	struct timeline_life *life;

	(void)to;
	if (strcmp(words[0], "dead") == 0 && count > 1) {
		life = find_life(reading->timeline, words[1], &lane);
		if (life != NULL)
			life->dead_us = monotonic_us(reading, at_us);
	} else if (strcmp(words[0], "back") == 0 && count > 5) {
		life = find_life(reading->timeline, words[5], &lane);
		if (life != NULL && life->dead_us > 0)
			lane->taken[slice_of(reading->timeline, monotonic_us(reading, at_us))]++;
	}
}

/* --- all ---------------------------------------------------------------------------------------- */

static int is_worker(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return strncmp(entry->d_name, "worker-", 7) == 0 && length > 11 &&
	       strcmp(entry->d_name + length - 4, ".log") == 0;
}

/* The places of the fleet come first, d1 to dN; a fault numbers them so. Behind them who was there besides. */
static int by_place(const struct dirent **a, const struct dirent **b)
{
	bool one = (*a)->d_name[7] == 'd';
	bool other = (*b)->d_name[7] == 'd';

	return one != other ? other - one : versionsort(a, b);
}

static void read_lane(struct reading *reading, const char *folder, const char *file)
{
	struct timeline *timeline = reading->timeline;
	struct timeline_lane *lane;

	if (timeline->lane_count == TIMELINE_LANES) {
		timeline->lanes_left_out++;
		return;
	}
	lane = grow(reading, &timeline->lanes, &timeline->lane_count, sizeof(*lane));
	if (lane == NULL)
		return;
	snprintf(lane->name, sizeof(lane->name), "%.*s", (int)strlen(file) - 11, file + 7);
	read_history(reading, folder, file, take_worker, lane);
}

static int read_lanes(struct reading *reading, const char *folder, struct error *err)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_worker, by_place);

	if (count < 0)
		return error_set_errno(err, ERROR_INPUT, errno, "%s", folder);
	for (int i = 0; i < count; i++) {
		read_lane(reading, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

struct timeline *timeline_open(const struct digest_act *act, struct error *err)
{
	struct reading reading = { .timeline = calloc(1, sizeof(*reading.timeline)) };
	struct timeline *timeline = reading.timeline;
	int status;

	if (timeline == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	timeline->from_us = act->began_us;
	timeline->to_us = act->ended_us;
	if (act->began_us == DIGEST_NO_TIME || act->ended_us <= act->began_us)
		status = error_set(err, ERROR_INPUT, "%s: nothing was played", act->folder);
	else
		status = read_lanes(&reading, act->folder, err);
	if (status == 0) {
		read_history(&reading, act->folder, "nemesis.log", take_nemesis, NULL);
		if (reading.tick_count > 0)
			read_history(&reading, act->folder, "database.log", take_database, NULL);
	}
	free(reading.ticks);
	if (status == 0 && reading.full)
		status = error_set(err, ERROR_RETRY, "out of memory");
	if (status == 0)
		return timeline;
	timeline_close(timeline);
	return NULL;
}

void timeline_close(struct timeline *timeline)
{
	if (timeline == NULL)
		return;
	for (size_t i = 0; i < timeline->lane_count; i++) {
		free(timeline->lanes[i].lives);
		free(timeline->lanes[i].fences_us);
	}
	free(timeline->lanes);
	free(timeline);
}
