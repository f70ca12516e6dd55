#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/judge/check.h"

/* --- what the nemesis wrote --------------------------------------------------------------------- */

static size_t fault_place(struct verdict *verdict, const char *name)
{
	size_t place = 0;

	while (place < verdict->fault_count && strcmp(verdict->faults[place].name, name) != 0)
		place++;
	if (place == verdict->fault_count && place < VERDICT_FAULTS) {
		snprintf(verdict->faults[place].name, sizeof(verdict->faults[place].name), "%s",
			 name);
		verdict->fault_count++;
	}
	return place < VERDICT_FAULTS ? place : VERDICT_FAULTS - 1;
}

/* A fault that is not known, or that nobody can play there, has no criterion to judge by. */
static unsigned demands_of(struct check *check, const char *name)
{
	const uint64_t *said = check_map_find(&check->demands, check_map_key(name));
	const struct fault *fault;

	if (said != NULL)
		return (unsigned)*said;
	fault = fault_find(name);
	if (fault == NULL)
		check_read_unsound(check, "%s:%" PRId64 ": there is no fault \"%s\"", check->file,
				   check->line, name);
	else if (fault->stage != STAGE_PLAIN &&
		 strcmp(check->stage, fault_stage_name(fault->stage)) != 0)
		check_read_unsound(check, "%s:%" PRId64 ": %s cannot be played on the stage \"%s\"",
				   check->file, check->line, name, check->stage);
	return fault == NULL ? 0 : fault->demands;
}

/* One that is not known may hurt anybody. */
static bool is_narrow(const char *name)
{
	const struct fault *fault = fault_find(name);

	return fault != NULL && !fault->untargeted && !fault->widespread &&
	       (fault->demands & (FAULT_MASS | FAULT_MAY_LOSE | FAULT_OWNS_SERVER)) == 0;
}

static struct check_bout *find(const struct check *check, const char *number)
{
	for (size_t i = check->bout_count; i-- > 0;)
		if (check->bouts[i].number == (int)strtol(number, NULL, 10))
			return &check->bouts[i];
	return NULL;
}

static bool take_begin(struct check *check, int64_t at_us, char **words, size_t count)
{
	(void)at_us;
	(void)count;
	check->begun_seed = strtoull(words[1], NULL, 10);
	return true;
}

static bool take_nothing(struct check *check, int64_t at_us, char **words, size_t count)
{
	(void)check;
	(void)at_us;
	(void)words;
	(void)count;
	return true;
}

static void meet(struct check *check, const char *fault, uint64_t times)
{
	const uint64_t *before = check_map_find(&check->met, check_map_key(fault));

	check_map_put(&check->met, check_map_key(fault), (before == NULL ? 0 : *before) + times);
}

static bool take_inject(struct check *check, int64_t at_us, char **words, size_t count)
{
	int64_t target = -1;
	int64_t number;
	struct check_bout *bout;

	if (!check_read_number(words[1], &number) ||
	    (count > 3 &&
	     (!check_read_number(words[3], &target) || target < -1 || target > INT_MAX)))
		return false;
	if (number != (int64_t)check->bout_count + 1)
		check_read_unsound(check, "%s:%" PRId64 ": bout %" PRId64 " follows bout %zu",
				   check->file, check->line, number, check->bout_count);
	if (!check_read_room(check, &check->bouts, &check->bout_room, check->bout_count,
			     sizeof(*check->bouts)))
		return true;
	bout = &check->bouts[check->bout_count++];
	*bout = (struct check_bout){ .number = (int)number,
				     .fault = fault_place(check->verdict, words[2]),
				     .demands = demands_of(check, words[2]),
				     .target = (int)target,
				     .narrow = target >= 0 && is_narrow(words[2]),
				     .injected_us = at_us,
				     .settled_us = INT64_MAX };
	check_latency_expect(check, bout);
	meet(check, words[2], 1);
	check->verdict->faults[bout->fault].injected++;
	if ((bout->demands & FAULT_MAY_LOSE) != 0)
		check->may_lose = true;
	if ((bout->demands & FAULT_FORGETS) != 0)
		check->forgets = true;
	return true;
}

static bool take_witness(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_bout *bout = find(check, words[1]);

	(void)count;
	if (bout == NULL)
		return false;
	if (at_us < bout->injected_us)
		check_read_unsound(check, "%s:%" PRId64 ": the witness of bout %d is older than it",
				   check->file, check->line, bout->number);
	if (bout->witnesses++ == 0)
		check->verdict->faults[bout->fault].witnessed++;
	return true;
}

static bool take_heal(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_bout *bout = find(check, words[1]);

	(void)count;
	if (bout != NULL)
		bout->healed_us = at_us;
	return bout != NULL;
}

/* What did not bite beside the other of a pair was tried alone. */
static bool take_again(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_bout *bout = find(check, words[1]);

	(void)at_us;
	(void)count;
	if (bout != NULL)
		bout->again = true;
	return bout != NULL;
}

static bool take_settled(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_bout *bout = find(check, words[1]);

	(void)count;
	if (bout != NULL)
		bout->settled_us = at_us;
	return bout != NULL;
}

static bool take_broken(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_bout *bout = find(check, words[1]);
	struct verdict_fault *fault;

	(void)at_us;
	if (bout == NULL)
		return false;
	fault = &check->verdict->faults[bout->fault];
	fault->broken++;
	if (check->verdict->why[0] == '\0')
		snprintf(check->verdict->why, VERDICT_TEXT, "%s: %s", fault->name,
			 count > 2 ? words[2] : "its criterion was not met");
	return true;
}

static bool take_late(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_bout *bout = find(check, words[1]);
	const struct fault *fault = bout == NULL
					    ? NULL
					    : fault_find(check->verdict->faults[bout->fault].name);

	(void)at_us;
	(void)count;
	if (fault == NULL || !fault->punctual)
		return false;
	bout->demands &= ~(unsigned)(FAULT_NO_DEATH | FAULT_NO_CONFLICT);
	return true;
}

static bool take_skip(struct check *check, int64_t at_us, char **words, size_t count)
{
	(void)at_us;
	(void)count;
	meet(check, words[1], CHECK_SKIPPED);
	check->verdict->skipped++;
	return true;
}

static bool take_clock(struct check *check, int64_t at_us, char **words, size_t count)
{
	int64_t database_us;

	(void)count;
	if (!check_read_number(words[2], &database_us))
		return false;
	if (check_read_room(check, &check->clocks, &check->clock_room, check->clock_count,
			    sizeof(*check->clocks)))
		check->clocks[check->clock_count++] =
			(struct check_clock){ .at_us = at_us, .offset_us = at_us - database_us };
	return true;
}

/* Which process, and by which signal. */
static bool take_crashed(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct verdict *verdict = check->verdict;

	(void)at_us;
	(void)count;
	if (verdict->crashes++ == 0)
		snprintf(verdict->why, sizeof(verdict->why), "%s crashed by signal %s", words[1],
			 words[2]);
	return true;
}

static bool is_crash(int64_t number)
{
	static const int SIGNALS[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP };

	for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(*SIGNALS); i++)
		if (number == SIGNALS[i])
			return true;
	return false;
}

/* PROCESS PID exit|signal NUMBER ASKED. Who is asked to end by SIGTERM or SIGINT does so with 0, unless it is killed
 * meanwhile; who is killed, or ended by other means of a fault, ends as it may. */
static bool take_ended(struct check *check, int64_t at_us, char **words, size_t count)
{
	bool by_signal = strcmp(words[3], "signal") == 0;
	bool is_wrong;
	int64_t number;
	int64_t asked;

	(void)at_us;
	(void)count;
	if ((!by_signal && strcmp(words[3], "exit") != 0) ||
	    !check_read_number(words[4], &number) || !check_read_number(words[5], &asked))
		return false;
	is_wrong = asked == 0 || (by_signal && is_crash(number)) ||
		   ((asked == SIGTERM || asked == SIGINT) &&
		    (by_signal ? number != SIGKILL && number != SIGTERM && number != SIGINT
			       : number != 0));
	if (is_wrong && check->verdict->crashes++ == 0)
		snprintf(check->verdict->why, VERDICT_TEXT,
			 asked == 0 ? "process %s ended by itself: %s %s"
				    : "process %s was to end, and ended otherwise: %s %s",
			 words[1], words[3], words[4]);
	return true;
}

static bool take_drained(struct check *check, int64_t at_us, char **words, size_t count)
{
	(void)at_us;
	(void)count;
	check->undrained = 0;
	return check_read_number(words[1], &check->drained);
}

static bool take_undrained(struct check *check, int64_t at_us, char **words, size_t count)
{
	(void)at_us;
	(void)count;
	return check_read_number(words[1], &check->undrained);
}

static bool take_end(struct check *check, int64_t at_us, char **words, size_t count)
{
	(void)words;
	(void)count;
	check->ended = true;
	check->ended_us = at_us;
	return true;
}

/* What settled was healed before, and after it was injected. */
static void judge_order(struct check *check, const struct check_bout *bout)
{
	const char *name = check->verdict->faults[bout->fault].name;

	if (bout->settled_us == INT64_MAX)
		return;
	if (bout->healed_us == 0)
		check_read_unsound(check, "%s (bout %d) settled and was not healed", name,
				   bout->number);
	else if (bout->healed_us < bout->injected_us || bout->settled_us < bout->healed_us)
		check_read_unsound(
			check, "%s (bout %d) was not injected, healed and settled in this order",
			name, bout->number);
}

/* Two that overlap; not those of which one bit alone. */
static void count_pairs(struct check *check)
{
	for (size_t i = 1; i < check->bout_count; i++) {
		const struct check_bout *first = &check->bouts[i - 1];
		const struct check_bout *second = &check->bouts[i];

		if (second->injected_us >= first->settled_us)
			continue;
		if (first->again || second->again)
			check->verdict->half_pairs++;
		else
			check->verdict->pairs++;
	}
}

void check_bouts(struct check *check)
{
	static const struct check_read_kind KINDS[] = {
		{ "begin", 2, 0, take_begin },
		{ "inject", 3, 4, take_inject },
		{ "witness", 2, 3, take_witness },
		{ "heal", 2, 2, take_heal },
		{ "settled", 2, 2, take_settled },
		{ "broken", 2, 3, take_broken },
		{ "again", 2, 2, take_again },
		{ "late", 2, 2, take_late },
		{ "skip", 2, 3, take_skip },
		{ "clock", 3, 3, take_clock },
		{ "stall", 3, 3, check_stalls_take },
		{ "crashed", 3, 3, take_crashed },
		{ "note", 1, 2, take_nothing },
		{ "ended", 6, 6, take_ended },
		{ "drained", 2, 2, take_drained },
		{ "undrained", 2, 2, take_undrained },
		{ "end", 1, 1, take_end },
		{ NULL, 0, 0, NULL },
	};

	check->undrained = -1;
	check_read(check, "nemesis.log", KINDS);
	if (!check->ended)
		check_read_unsound(check, "nemesis.log has no end");
	for (size_t i = 0; i < check->bout_count; i++)
		judge_order(check, &check->bouts[i]);
	count_pairs(check);
}

/* --- the database's time ------------------------------------------------------------------------ */

static int64_t far_from(int64_t value, int64_t low, int64_t high)
{
	if (value < low)
		return low - value;
	return value > high ? value - high : 0;
}

/* Whether the database can have said so between this reading of its clock and the next, and when that was. */
static bool explains(const struct check *check, size_t place, int64_t database_us, int64_t *at_us)
{
	const struct check_clock *clock = &check->clocks[place];
	bool last = place + 1 == check->clock_count;
	int64_t until_us = last ? clock->at_us + CHECK_CLOCK_LAST_US : clock[1].at_us;

	*at_us = database_us + clock->offset_us;
	if (far_from(*at_us, clock->at_us, until_us) == 0)
		return true;
	if (last)
		return false;
	*at_us = database_us + clock[1].offset_us;
	return far_from(*at_us, clock->at_us, until_us) == 0;
}

/* Where no reading explains it: the one, of those about now, that comes nearest. A process may notice a jump a little late. */
static int64_t nearest(const struct check *check, int64_t database_us)
{
	size_t first = check->clock_at == 0 ? 0 : check->clock_at - 1;
	size_t last = check->clock_at + 1 < check->clock_count ? check->clock_at + 1
							       : check->clock_at;
	int64_t low_us = check->clocks[check->clock_at].at_us;
	int64_t high_us = check->clocks[last].at_us;
	int64_t best_us = database_us + check->clocks[first].offset_us;

	for (size_t i = first + 1; i <= last; i++) {
		int64_t at_us = database_us + check->clocks[i].offset_us;

		if (far_from(at_us, low_us, high_us) < far_from(best_us, low_us, high_us))
			best_us = at_us;
	}
	return best_us;
}

/* Between two readings of the clock it may have jumped: the offset that puts the moment between them is right. What was
 * stored before a jump may be committed after it. */
int64_t check_bouts_time(struct check *check, int64_t database_us)
{
	int64_t at_us;

	if (check->clock_count == 0)
		return database_us - check->began_real_us + check->began_us;
	for (size_t i = 0; i <= check->clock_at && i < CHECK_CLOCKS_BACK; i++)
		if (explains(check, check->clock_at - i, database_us, &at_us))
			return at_us;
	for (size_t i = check->clock_at + 1; i < check->clock_count; i++)
		if (explains(check, i, database_us, &at_us)) {
			check->clock_at = i;
			return at_us;
		}
	return nearest(check, database_us);
}

bool check_bouts_jumped(const struct check *check, int64_t from_us, int64_t to_us)
{
	for (size_t i = 1; i < check->clock_count; i++) {
		const struct check_clock *clock = &check->clocks[i];

		if (clock->at_us >= from_us && clock[-1].at_us <= to_us &&
		    llabs(clock->offset_us - clock[-1].offset_us) > CHECK_CLOCK_US)
			return true;
	}
	return false;
}

/* --- which bouts were on ------------------------------------------------------------------------ */

static bool is_on(const struct check_bout *bout, int64_t from_us, int64_t to_us)
{
	return bout->injected_us <= to_us && bout->settled_us >= from_us;
}

bool check_bouts_on(const struct check *check, int64_t from_us, int64_t to_us)
{
	for (size_t i = 0; i < check->bout_count; i++)
		if (is_on(&check->bouts[i], from_us, to_us))
			return true;
	return false;
}

unsigned check_bouts_all(const struct check *check, int64_t from_us, int64_t to_us)
{
	unsigned demands = ~0U;

	for (size_t i = 0; i < check->bout_count; i++)
		if (is_on(&check->bouts[i], from_us, to_us))
			demands &= check->bouts[i].demands;
	return demands == ~0U ? 0 : demands;
}

unsigned check_bouts_some(const struct check *check, int64_t from_us, int64_t to_us)
{
	unsigned demands = 0;

	for (size_t i = 0; i < check->bout_count; i++)
		if (is_on(&check->bouts[i], from_us, to_us))
			demands |= check->bouts[i].demands;
	return demands;
}

bool check_bouts_hurts(const struct check_bout *bout, const struct check_life *life)
{
	return life == NULL || !bout->narrow || bout->target == life->place ||
	       (life->crowd != 0 && bout->number == life->crowd);
}

const struct check_bout *check_bouts_excuse(const struct check *check,
					    const struct check_life *life, enum fault_demand demand,
					    int64_t from_us, int64_t to_us)
{
	const struct check_bout *last = NULL;

	for (size_t i = 0; i < check->bout_count; i++) {
		const struct check_bout *bout = &check->bouts[i];

		if (is_on(bout, from_us, to_us) && (bout->demands & (unsigned)demand) != 0 &&
		    check_bouts_hurts(bout, life) &&
		    (last == NULL || bout->healed_us > last->healed_us))
			last = bout;
	}
	return last;
}

int64_t check_bouts_heal(const struct check *check, int64_t from_us, int64_t to_us)
{
	int64_t last_us = 0;

	for (size_t i = 0; i < check->bout_count; i++)
		if (is_on(&check->bouts[i], from_us, to_us) && check->bouts[i].healed_us > last_us)
			last_us = check->bouts[i].healed_us;
	return last_us;
}
