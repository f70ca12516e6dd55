#include "tools/chaos/judge/checker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/judge/check.h"

enum { PATH_MAX_BYTES = 4096, LINE_BYTES = 1024 };

/* --- the act's settings ------------------------------------------------------------------------- */

static const struct setting {
	const char *name;
	size_t offset;
} SETTINGS[] = {
	{ "ping_us", offsetof(struct check, ping_us) },
	{ "death_us", offsetof(struct check, death_us) },
	{ "scan_us", offsetof(struct check, scan_us) },
	{ "poll_us", offsetof(struct check, poll_us) },
	{ "began_us", offsetof(struct check, began_us) },
	{ "began_real_us", offsetof(struct check, began_real_us) },
	{ "leases", offsetof(struct check, leases) },
	{ "clients", offsetof(struct check, clients) },
	{ "played", offsetof(struct check, played) },
};

/* NAME=VALUE; those that the judge does not need are passed over. */
static void take_setting(struct check *check, const char *name, const char *value)
{
	int64_t number;

	if (strcmp(name, "stage") == 0)
		snprintf(check->stage, sizeof(check->stage), "%s", value);
	if (strcmp(name, "name") == 0)
		snprintf(check->name, sizeof(check->name), "%s", value);
	if (strcmp(name, "seed") == 0)
		check->seed = strtoull(value, NULL, 10);
	if (!check_read_number(value, &number))
		return;
	for (size_t i = 0; i < sizeof(SETTINGS) / sizeof(*SETTINGS); i++)
		if (strcmp(name, SETTINGS[i].name) == 0)
			*(int64_t *)(void *)((char *)check + SETTINGS[i].offset) = number;
	if (check->terms == NULL && strncmp(name, "demand_", 7) == 0)
		check_map_put(&check->demands, check_map_key(name + 7), (uint64_t)number);
}

static int read_settings(struct check *check, struct error *err)
{
	char path[PATH_MAX_BYTES];
	char line[LINE_BYTES];
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/act", check->folder) >= PATH_MAX_BYTES)
		return error_set(err, ERROR_INPUT, "%s: the path is too long", check->folder);
	file = fopen(path, "re");
	if (file == NULL)
		return error_set_errno(err, ERROR_INPUT, errno, "%s", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *value = strchr(line, '=');

		line[strcspn(line, "\n")] = '\0';
		if (value == NULL)
			continue;
		*value = '\0';
		take_setting(check, line, value + 1);
	}
	fclose(file);
	if (check->death_us <= 0 || check->began_us <= 0)
		return error_set(err, ERROR_INPUT, "%s says no death_us or no began_us", path);
	return 0;
}

/* --- the sum ------------------------------------------------------------------------------------ */

static void say(struct verdict *verdict, enum verdict_valid valid, const char *why)
{
	verdict->valid = valid;
	if (verdict->why != why)
		snprintf(verdict->why, sizeof(verdict->why), "%s", why);
}

/* The first violation that proves something: what merely has not ended yet proves nothing. */
static bool is_violated(struct verdict *verdict)
{
	char why[VERDICT_TEXT];

	for (int i = 0; i < VERDICT_INVARIANT_COUNT; i++) {
		if (i == VERDICT_L1 || verdict->of[i].count == 0)
			continue;
		if (snprintf(why, sizeof(why), "%s %s: %s", verdict_name((enum verdict_invariant)i),
			     verdict_word((enum verdict_invariant)i),
			     verdict->of[i].examples[0]) < 0)
			continue;
		say(verdict, VERDICT_INVALID, why);
		return true;
	}
	return false;
}

static bool is_broken(const struct verdict *verdict)
{
	if (verdict->crashes > 0)
		return true;
	for (size_t i = 0; i < verdict->fault_count; i++)
		if (verdict->faults[i].broken > 0)
			return true;
	return false;
}

static const struct check_bout *unwitnessed(const struct check *check)
{
	for (size_t i = 0; i < check->bout_count; i++)
		if (check->bouts[i].witnesses == 0 || check->bouts[i].settled_us == INT64_MAX)
			return &check->bouts[i];
	return NULL;
}

static const struct check_bout *unreclaimed(const struct check *check)
{
	for (size_t i = 0; i < check->bout_count; i++)
		if (check->bouts[i].empty || check->bouts[i].spared)
			return &check->bouts[i];
	return NULL;
}

static const struct check_bout *slow(const struct check *check)
{
	for (size_t i = 0; i < check->bout_count; i++)
		if (check->bouts[i].slow)
			return &check->bouts[i];
	return NULL;
}

/* Why nothing is proven, though nothing is wrong; false: something is. */
static bool is_undone(struct check *check, char *why, size_t size)
{
	const struct verdict *verdict = check->verdict;

	if (check->undrained != 0 || verdict->of[VERDICT_L1].count > 0)
		snprintf(why, size, "the drain is incomplete: %" PRId64 " job%s not ended",
			 verdict->of[VERDICT_L1].count,
			 verdict->of[VERDICT_L1].count == 1 ? " has" : "s have");
	else if (check->gaps > 1)
		snprintf(why, size, "%.*s, nor is that all that is missing", VERDICT_TEXT / 2,
			 check->gap);
	else if (check->gaps > 0)
		snprintf(why, size, "%s", check->gap);
	else if (verdict->acknowledged == 0 || verdict->ended == 0)
		snprintf(why, size, "nothing happened: no job was submitted and ended");
	else if (check->bout_count == 0 && verdict->skipped == 0)
		snprintf(why, size, "nothing happened: no fault was injected");
	else
		return false;
	return true;
}

static void say_of_bout(const struct check *check, const struct check_bout *bout, const char *what,
			char *why, size_t size)
{
	snprintf(why, size, "%s (bout %d) %s", check->verdict->faults[bout->fault].name,
		 bout->number, what);
}

/* Of a run for one fault, none of whose criteria could be told. */
static const struct check_bout *untold(const struct check *check)
{
	bool lone = check->terms != NULL && check->terms->lone && check->bout_count > 0;

	return lone && check->verdict->untold > 0 && check->told == 0 ? &check->bouts[0] : NULL;
}

/* Whether a fault did not do what it was to do. */
static bool is_harmless(const struct check *check, char *why, size_t size)
{
	const struct check_bout *bout;

	if ((bout = unwitnessed(check)) != NULL)
		say_of_bout(check, bout,
			    bout->witnesses == 0 ? "has no witness that it bit" : "did not settle",
			    why, size);
	else if ((bout = unreclaimed(check)) != NULL)
		say_of_bout(check, bout,
			    bout->spared ? "killed nobody whom it was to kill"
					 : "killed nobody who held a job, so nothing was reclaimed",
			    why, size);
	else if ((bout = slow(check)) != NULL)
		say_of_bout(check, bout, "was healed, and work did not go on at 90 % within 10 s",
			    why, size);
	else if ((bout = untold(check)) != NULL)
		say_of_bout(check, bout, "was to be told by samples, and there were too few", why,
			    size);
	return bout != NULL;
}

/* Nothing of it could be played here. */
static bool is_skipped(const struct check *check)
{
	return check->played == 0 && check->bout_count == 0 && check->verdict->skipped > 0;
}

static void conclude(struct check *check)
{
	struct verdict *verdict = check->verdict;
	char why[VERDICT_TEXT];

	if (check->proven && is_violated(verdict))
		return;
	if (check->unsound[0] != '\0')
		say(verdict, VERDICT_UNKNOWN, check->unsound);
	else if (is_skipped(check))
		say(verdict, VERDICT_VALID, "");
	else if (is_violated(verdict))
		return;
	else if (is_broken(verdict))
		say(verdict, VERDICT_INVALID, verdict->why);
	else if (is_undone(check, why, sizeof(why)) || is_harmless(check, why, sizeof(why)))
		say(verdict, VERDICT_UNKNOWN, why);
	else
		say(verdict, VERDICT_VALID, "");
}

static void count_false_truths(struct verdict *verdict)
{
	verdict->false_truths = verdict->of[VERDICT_S5].count;
}

static void fini(struct check *check)
{
	check_jobs_fini(check);
	check_map_fini(&check->demands);
	check_map_fini(&check->met);
	check_map_fini(&check->life_by_key);
	check_map_fini(&check->backs);
	check_latency_fini(check);
	free(check->bouts);
	free(check->clocks);
	free(check->stalls);
	free(check->lives);
	free(check->reclaims);
	free(check->ends);
	free(check->conflicts.at_us);
	free(check->attempts.at_us);
	free(check->unknowns.at_us);
}

/* Against a record of the database that is not whole, all the others would seem to lie. */
static void check_others(struct check *check)
{
	check_workers(check);
	check_leaks(check);
	check_clients(check);
	check_effects(check);
	check_gaps(check);
	check_final(check);
	check_demands(check);
	check_pace(check);
}

int checker_judge(const char *folder, const struct checker_terms *terms, struct verdict *verdict,
		  struct error *err)
{
	struct check check = { .verdict = verdict, .folder = folder, .terms = terms, .played = 1 };
	int status = read_settings(&check, err);

	if (status == 0) {
		memset(verdict, 0, sizeof(*verdict));
		check_bouts(&check);
		check_terms(&check);
		if (!is_skipped(&check) && check_database(&check)) {
			/* The others' gaps excuse nothing of what the database itself shows. */
			check.proven = check.unsound[0] == '\0' && is_violated(verdict);
			check_others(&check);
		}
		count_false_truths(verdict);
		conclude(&check);
	}
	fini(&check);
	return status;
}
