/* Scenario files, and what is dealt from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/plan/plan.h"
#include "tools/chaos/plan/scenario.h"

static int read_text(struct plan *plan, const char *text, struct error *err)
{
	return scenario_parse(plan, "mine", "mine.conf", text, err);
}

static void a_scenario_sets_what_it_names_and_acts_inherit_the_rest(void **state)
{
	struct error err = { .kind = ERROR_NONE };
	struct plan plan;

	(void)state;
	assert_int_equal(read_text(&plan,
				   "jobs = 700\nseed = 5\nintervals { death = 3s }\n"
				   "load { rate = 10 handlers = {\"plugin=2\", command} }\n"
				   "act one { faults = {\"dispatcher-killed\"} for = 2m }\n"
				   "act two { stage = relay dispatchers = 9 load { rate = 20 }\n"
				   "  pairs = {\"dispatcher-killed + commit-answer-dropped\"} }\n",
				   &err),
			 0);
	assert_int_equal(plan.act_count, 2);
	assert_int_equal(plan.seed, 5);
	assert_int_equal(plan.acts[0].jobs, 700);
	assert_int_equal(plan.acts[0].for_ms, 120000);
	assert_int_equal(plan.acts[0].intervals.death_ms, 3000);
	assert_int_equal(plan.acts[0].intervals.ping_ms, plan_default.intervals.ping_ms);
	assert_int_equal(plan.acts[0].load.weights[PLAN_PLUGIN], 2);
	assert_int_equal(plan.acts[0].load.weights[PLAN_COMMAND], 1);
	assert_int_equal(plan.acts[0].load.weights[PLAN_SERVICE], 0);
	assert_string_equal(plan.acts[1].name, "two");
	assert_int_equal(plan.acts[1].stage, STAGE_RELAY);
	assert_int_equal(plan.acts[1].dispatchers, 9);
	assert_int_equal(plan.acts[1].load.rate, 20);
	assert_int_equal(plan.acts[1].for_ms, 0);
	assert_string_equal(plan.acts[1].bouts[0].second->name, "commit-answer-dropped");
	plan_fini(&plan);
}

static void a_wrong_scenario_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} rows[] = {
		{ "jobs = 5", "mine.conf: a scenario needs an act" },
		{ "\nspeed = 5", "mine.conf:2: " },
		{ "# one\n/* two\n*/ // three\njobs = 5 # four\nspeed = 5", "mine.conf:5: " },
		{ "act a { faults = {\"dispatcher-killed\"} ",
		  "mine.conf:1: the { here is not closed" },
		{ "act a {\nfaults = {\"dispatcher-killed} }",
		  "mine.conf:2: the string that begins here is not closed" },
		{ "act a { faults = {all} } }", "mine.conf:1: } closes nothing" },
		{ "act a { }", "act \"a\": an act needs faults" },
		{ "act a {\nfaults = {\"dispatcher-kiled\"} }",
		  "mine.conf:2: there is no fault \"dispatcher-kiled\": did you mean \"dispatcher-killed\"?" },
		{ "act a { faults = {\"commit-answer-dropped\"} }",
		  "mine.conf:1: the fault \"commit-answer-dropped\" is played on the stage \"relay\"" },
		{ "act a { stage = rely faults = {all} }",
		  "there is no stage \"rely\": did you mean \"relay\"?" },
		{ "act \"a/b\" { faults = {all} }", "the name of an act is made of a-z" },
		{ "act a { pairs = {\"dispatcher-killed\"} }", "pairs: write \"ONE + OTHER\"" },
		{ "act a { pairs = {\"dispatcher-killed + dispatcher-killed\"} }", "with itself" },
		{ "act a { pairs = {\"dispatcher-killed + host-suspended\"} }",
		  "\"host-suspended\" overlaps with none" },
		{ "jobs = 0\nact a { faults = {all} }",
		  "mine.conf:1: jobs: \"0\" is not a whole number from 1" },
		{ "dispatchers = many\nact a { faults = {all} }", "dispatchers: \"many\" is not" },
		{ "for = soon\nact a { faults = {all} }", "for: \"soon\" is not a duration" },
		{ "endless = maybe\nact a { faults = {all} }", "endless: true or false" },
		{ "load { handlers = {shell} }\nact a { faults = {all} }",
		  "\"shell\" is none of plugin, transaction, service, command, sql, user" },
		{ "load { handlers = {\"plugin=0\"} }\nact a { faults = {all} }",
		  "a weight is a number from 1" },
		{ "intervals { death = 500ms }\nact a { faults = {all} }",
		  "the death interval (500ms) is less than 3 x ping + grace + margin (1100ms)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = { .kind = ERROR_NONE };
		struct plan plan;

		if (read_text(&plan, rows[i].text, &err) == 0)
			fail_msg("was accepted: %s", rows[i].text);
		assert_int_equal(err.kind, ERROR_INPUT);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("\"%s\": %s", rows[i].text, err.text);
		plan_fini(&plan);
	}
}

static void faults_that_may_lose_get_an_act_of_their_own(void **state)
{
	const struct fault *const faults[] = { fault_find("primary-switched"),
					       fault_find("failover-asynchronous"),
					       fault_find("standby-stale"),
					       fault_find("primary-split") };
	struct error err = { .kind = ERROR_NONE };
	struct plan plan;

	(void)state;
	assert_int_equal(plan_of_faults(&plan, faults, 4, &err), 0);
	assert_int_equal(plan.act_count, 2);
	assert_string_equal(plan.acts[0].name, "replica");
	assert_string_equal(plan.acts[0].bouts[1].first->name, "standby-stale");
	assert_string_equal(plan.acts[1].name, "replica-lossy");
	assert_string_equal(plan.acts[1].bouts[1].first->name, "primary-split");
	plan_fini(&plan);
}

static void every_suite_can_be_read(void **state)
{
	static const char *const NAMES[] = { "quick", "full", "soak", "probes" };

	(void)state;
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		struct error err = { .kind = ERROR_NONE };
		struct plan plan;

		if (plan_suite(&plan, NAMES[i], &err) != 0)
			fail_msg("%s: %s", NAMES[i], err.text);
		assert_string_equal(plan.name, NAMES[i]);
		plan_fini(&plan);
	}
}

static void the_full_suite_has_every_fault_and_sixty_pairs(void **state)
{
	struct error err = { .kind = ERROR_NONE };
	const struct fault *fault = NULL;
	struct plan plan;
	int pairs = 0;

	(void)state;
	assert_int_equal(plan_suite(&plan, "full", &err), 0);
	while ((fault = fault_next(fault)) != NULL) {
		bool found = false;

		for (size_t i = 0; i < plan.act_count; i++)
			for (size_t j = 0; j < plan.acts[i].bout_count; j++)
				found = found || (plan.acts[i].bouts[j].first == fault &&
						  plan.acts[i].bouts[j].second == NULL);
		if (!found)
			fail_msg("%s is not in the full suite", fault->name);
	}
	for (size_t i = 0; i < plan.act_count; i++)
		pairs += plan.acts[i].random_pairs;
	assert_true(pairs >= 60);
	plan_fini(&plan);
}

static bool plays(const struct plan *plan, const struct fault *fault)
{
	for (size_t i = 0; i < plan->act_count; i++)
		for (size_t j = 0; j < plan->acts[i].bout_count; j++)
			if (plan->acts[i].bouts[j].first == fault)
				return true;
	return false;
}

static void the_probes_suite_has_every_probe(void **state)
{
	const struct fault *fault = NULL;
	struct error err = { .kind = ERROR_NONE };
	struct plan plan;
	int probes = 0;

	(void)state;
	assert_int_equal(plan_suite(&plan, "probes", &err), 0);
	while ((fault = fault_next(fault)) != NULL) {
		if (strncmp(fault->name, "probe-", 6) != 0)
			continue;
		probes++;
		if (!plays(&plan, fault))
			fail_msg("%s is not in the suite", fault->name);
	}
	assert_true(probes >= 17);
	plan_fini(&plan);
}

/* Of the full suite's first act. */
static void deal(uint64_t seed, int round, struct plan *plan, struct plan_bout **bouts,
		 size_t *count)
{
	struct error err = { .kind = ERROR_NONE };

	assert_int_equal(plan_suite(plan, "full", &err), 0);
	assert_int_equal(plan_deal(&plan->acts[0], seed, round, bouts, count, &err), 0);
}

static void the_same_seed_deals_the_same_bouts_and_another_does_not(void **state)
{
	struct plan_bout *bouts[4];
	size_t counts[4];
	struct plan plans[4];
	size_t size;

	(void)state;
	deal(7, 0, &plans[0], &bouts[0], &counts[0]);
	deal(7, 0, &plans[1], &bouts[1], &counts[1]);
	deal(8, 0, &plans[2], &bouts[2], &counts[2]);
	deal(7, 1, &plans[3], &bouts[3], &counts[3]);
	assert_int_equal(counts[0],
			 plans[0].acts[0].bout_count + (size_t)plans[0].acts[0].random_pairs);
	size = counts[0] * sizeof(*bouts[0]);
	assert_memory_equal(bouts[0], bouts[1], size);
	assert_memory_not_equal(bouts[0], bouts[2], size);
	assert_memory_not_equal(bouts[0], bouts[3], size);
	for (int i = 0; i < 4; i++) {
		free(bouts[i]);
		plan_fini(&plans[i]);
	}
}

static void no_pair_is_drawn_twice_or_needs_the_same_tool_twice(void **state)
{
	struct plan_bout *bouts;
	struct plan plan;
	size_t count;

	(void)state;
	deal(3, 0, &plan, &bouts, &count);
	for (size_t i = 0; i < count; i++) {
		if (bouts[i].second == NULL)
			continue;
		assert_ptr_not_equal(bouts[i].first, bouts[i].second);
		assert_true(bouts[i].first->stage == STAGE_PLAIN ||
			    bouts[i].second->stage == STAGE_PLAIN);
		for (size_t j = 0; j < i; j++)
			assert_false((bouts[i].first == bouts[j].first &&
				      bouts[i].second == bouts[j].second) ||
				     (bouts[i].first == bouts[j].second &&
				      bouts[i].second == bouts[j].first));
	}
	free(bouts);
	plan_fini(&plan);
}

static void each_fault_is_named_once_and_says_all_about_itself(void **state)
{
	const struct fault *fault = NULL;

	(void)state;
	while ((fault = fault_next(fault)) != NULL) {
		assert_ptr_equal(fault_find(fault->name), fault);
		assert_in_range(fault->row, 1, 78);
		assert_non_null(fault->inject);
		if (fault->what == NULL || fault->tool == NULL || fault->witness == NULL ||
		    fault->heals == NULL || fault->pass == NULL)
			fail_msg("%s leaves something unsaid", fault->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scenario_sets_what_it_names_and_acts_inherit_the_rest),
		cmocka_unit_test(a_wrong_scenario_is_refused_with_its_line),
		cmocka_unit_test(faults_that_may_lose_get_an_act_of_their_own),
		cmocka_unit_test(every_suite_can_be_read),
		cmocka_unit_test(the_full_suite_has_every_fault_and_sixty_pairs),
		cmocka_unit_test(the_probes_suite_has_every_probe),
		cmocka_unit_test(the_same_seed_deals_the_same_bouts_and_another_does_not),
		cmocka_unit_test(no_pair_is_drawn_twice_or_needs_the_same_tool_twice),
		cmocka_unit_test(each_fault_is_named_once_and_says_all_about_itself),
	};

	return cmocka_run_group_tests_name("chaos_plan", tests, NULL, NULL);
}
