/* What the act says of itself, held against the scenario and the seed that the run was played with. */
#include <inttypes.h>
#include <string.h>

#include "tools/chaos/judge/check.h"
#include "tools/chaos/plan/plan.h"

static void judge_number(struct check *check, const char *name, int64_t said, int64_t planned)
{
	if (said != planned)
		check_read_unsound(check, "the act says %s=%" PRId64 ", and its scenario %" PRId64,
				   name, said, planned);
}

/* Another act of the run, or of another run, would pass for this one. */
static void judge_name(struct check *check)
{
	const struct plan_act *act = check->terms->act;

	if (strcmp(check->name, act->name) != 0)
		check_read_unsound(check, "the act is \"%s\", and by its scenario it is \"%s\"",
				   check->name, act->name);
	else if (strcmp(check->stage, fault_stage_name(act->stage)) != 0)
		check_read_unsound(check,
				   "the act was played on the stage \"%s\", and by its scenario on "
				   "\"%s\"",
				   check->stage, fault_stage_name(act->stage));
	else if (check->seed != check->terms->seed || check->begun_seed != check->terms->seed)
		check_read_unsound(check,
				   "the act was played with the seed %" PRIu64
				   ", and by its run with %" PRIu64,
				   check->seed != check->terms->seed ? check->seed
								     : check->begun_seed,
				   check->terms->seed);
}

static uint64_t met(const struct check *check, const struct fault *fault)
{
	const uint64_t *times = check_map_find(&check->met, check_map_key(fault->name));

	return times == NULL ? 0 : *times;
}

/* What cannot be done takes the other of its pair with it. */
static bool is_skipped(const struct check *check, const struct plan_bout *bout)
{
	return met(check, bout->first) >= CHECK_SKIPPED ||
	       (bout->second != NULL && met(check, bout->second) >= CHECK_SKIPPED);
}

static uint64_t planned(const struct check *check, const struct fault *fault)
{
	const struct plan_act *act = check->terms->act;
	uint64_t times = 0;

	for (size_t i = 0; i < act->bout_count; i++)
		if (!is_skipped(check, &act->bouts[i]) &&
		    (act->bouts[i].first == fault || act->bouts[i].second == fault))
			times++;
	return times;
}

static void judge_turns(struct check *check, const struct fault *fault)
{
	uint64_t least = fault == NULL ? 0 : planned(check, fault);

	if (least > 0 && met(check, fault) < least)
		check_read_gap(check, "%s was to be injected %" PRIu64 " time%s, and was %" PRIu64,
			       fault->name, least, least == 1 ? "" : "s", met(check, fault));
}

/* Random pairs are drawn from the act's own and the plain stage's. */
static void judge_bout(struct check *check, const struct check_bout *bout)
{
	const struct plan_act *act = check->terms->act;
	const struct fault *fault = fault_find(check->verdict->faults[bout->fault].name);

	for (size_t i = 0; i < act->bout_count; i++)
		if (act->bouts[i].first == fault || act->bouts[i].second == fault)
			return;
	if (fault != NULL && (act->random_pairs == 0 || fault->stage != STAGE_PLAIN))
		check_read_unsound(check, "%s was injected, which its scenario does not say",
				   fault->name);
}

/* Each fault and each pair has its turn, unless the act is cut off. */
static void judge_bouts(struct check *check)
{
	const struct plan_act *act = check->terms->act;

	for (size_t i = 0; i < check->bout_count; i++)
		judge_bout(check, &check->bouts[i]);
	for (size_t i = 0; check->terms->whole && i < act->bout_count; i++) {
		judge_turns(check, act->bouts[i].first);
		judge_turns(check, act->bouts[i].second);
	}
}

/* What can be done on any machine is never skipped, unless it is no part of the act. */
static void judge_skip(struct check *check, const struct fault *fault)
{
	if (fault != NULL && fault->possible == NULL && met(check, fault) >= CHECK_SKIPPED)
		check_read_unsound(check, "%s was skipped, and every machine can play it",
				   fault->name);
}

static void judge_skips(struct check *check)
{
	const struct plan_act *act = check->terms->act;

	for (size_t i = 0; i < act->bout_count; i++) {
		const struct plan_bout *bout = &act->bouts[i];

		judge_skip(check, bout->first);
		judge_skip(check, bout->second);
		if (check->played == 0 && !is_skipped(check, bout))
			check_read_unsound(check, "the act was not played, and %s not skipped",
					   bout->first->name);
	}
}

void check_terms(struct check *check)
{
	const struct plan_act *act;

	if (check->terms == NULL)
		return;
	act = check->terms->act;
	judge_name(check);
	judge_number(check, "ping_us", check->ping_us, act->intervals.ping_ms * 1000);
	judge_number(check, "death_us", check->death_us, act->intervals.death_ms * 1000);
	judge_number(check, "scan_us", check->scan_us, act->intervals.scan_ms * 1000);
	judge_number(check, "poll_us", check->poll_us, act->intervals.poll_ms * 1000);
	judge_skips(check);
	if (check->played != 0) {
		judge_number(check, "clients", check->clients, act->load.clients + 1);
		judge_bouts(check);
	}
}
