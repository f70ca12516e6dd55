/* Acts held against what was to be played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/chaos_history.h"
#include "tools/chaos/plan/chance.h"
#include "tools/chaos/plan/plan.h"
#include "tools/chaos/play/retrial.h"

#define ADD(file, line) chaos_history_add(*state, CHAOS_HISTORY_##file, line)
#define CHANGE(file, from, to) chaos_history_change(*state, CHAOS_HISTORY_##file, from, to)
#define REJECTED(invariant) chaos_history_rejected(*state, VERDICT_##invariant, false)
#define UNKNOWN(why) chaos_history_unknown(*state, why)

static void inject(void **state, const char *fault)
{
	CHANGE(NEMESIS, "inject 1 harm 0", fault);
}

static struct plan_bout bouts[2];
static char good[] = "good";
static struct plan_act act;
static struct checker_terms terms;

/* The history is of that act. */
static void hold(void **state)
{
	bouts[0] = (struct plan_bout){ fault_find("dispatcher-killed"), NULL };
	bouts[1] = (struct plan_bout){ fault_find("agent-killed"), NULL };
	act = plan_default;
	act.name = good;
	act.load.clients = 0; /* but the one that faults use */
	act.bouts = bouts;
	act.bout_count = 1;
	terms = (struct checker_terms){ .act = &act, .seed = 7, .whole = true };
	inject(state, "inject 1 dispatcher-killed 0");
	CHANGE(ACT, "name=good\n", "name=good\nstage=plain\nseed=7\n");
	chaos_history_hold_against(*state, &terms);
}

static void an_act_as_it_was_to_be_played_is_right(void **state)
{
	hold(state);
	chaos_history_accepted(*state);
}

static void an_act_under_another_name_is_unknown(void **state)
{
	hold(state);
	CHANGE(ACT, "name=good", "name=easy");
	UNKNOWN("the act is \"easy\", and by its scenario it is \"good\"");
}

static void an_act_of_another_stage_is_unknown(void **state)
{
	hold(state);
	CHANGE(ACT, "stage=plain", "stage=relay");
	UNKNOWN("the act was played on the stage \"relay\"");
}

static void an_act_of_another_seed_is_unknown(void **state)
{
	hold(state);
	CHANGE(NEMESIS, "begin 7", "begin 8");
	UNKNOWN("the act was played with the seed 8, and by its run with 7");
}

static void an_act_with_easier_settings_is_unknown(void **state)
{
	hold(state);
	CHANGE(ACT, "scan_us=200000", "scan_us=2000000");
	UNKNOWN("the act says scan_us=2000000, and its scenario 200000");
}

static void an_act_of_which_a_client_was_taken_out_is_unknown(void **state)
{
	hold(state);
	act.load.clients = 1;
	UNKNOWN("the act says clients=1, and its scenario 2");
}

static void an_act_that_says_itself_what_its_faults_demand_is_not_believed(void **state)
{
	hold(state);
	CHANGE(ACT, "demand_harm=16", "demand_dispatcher-killed=128");
	CHANGE(FINAL, "0 job 1 completed c1 1 1 0 0\n", "");
	REJECTED(S3);
}

static void an_act_that_says_itself_that_jobs_may_be_forgotten_is_not_believed(void **state)
{
	hold(state);
	CHANGE(ACT, "demand_harm=16", "forgets=1");
	CHANGE(FINAL, "0 job 1 completed c1 1 1 0 0\n", "");
	REJECTED(S3);
}

static void an_act_without_one_of_its_faults_is_unknown(void **state)
{
	hold(state);
	act.bout_count = 2;
	UNKNOWN("agent-killed was to be injected 1 time, and was 0");
}

static void an_act_with_a_fault_that_could_not_be_played_is_right(void **state)
{
	hold(state);
	bouts[1].first = fault_find("fork-fails");
	act.bout_count = 2;
	ADD(NEMESIS, "5000002 skip fork-fails no such machine");
	chaos_history_accepted(*state);
}

static void an_act_that_skips_what_every_machine_can_play_is_unknown(void **state)
{
	hold(state);
	act.bout_count = 2;
	ADD(NEMESIS, "5000002 skip agent-killed no such machine");
	UNKNOWN("agent-killed was skipped, and every machine can play it");
}

static void skip_all(void **state, const char *skip)
{
	hold(state);
	bouts[0].first = fault_find("fork-fails");
	bouts[1].first = fault_find("tree-frozen");
	act.bout_count = 2;
	CHANGE(ACT, "name=good", "name=good\nplayed=0");
	chaos_history_empty(*state, CHAOS_HISTORY_NEMESIS);
	ADD(NEMESIS, "1000000 begin 7");
	ADD(NEMESIS, "1000001 skip fork-fails no such machine");
	ADD(NEMESIS, skip);
	ADD(NEMESIS, "1000002 end");
	for (int file = CHAOS_HISTORY_DATABASE; file <= CHAOS_HISTORY_FINAL; file++)
		chaos_history_omit(*state, (enum chaos_history_file)file);
}

static void an_act_all_of_whose_faults_were_skipped_is_right(void **state)
{
	skip_all(state, "1000001 skip tree-frozen no such machine");
	chaos_history_accepted(*state);
}

static void an_act_that_was_not_played_for_one_of_its_faults_is_unknown(void **state)
{
	skip_all(state, "1000001 note nothing else");
	UNKNOWN("the act was not played, and tree-frozen not skipped");
}

static void an_act_of_which_an_acknowledgement_was_taken_out_is_unknown(void **state)
{
	hold(state);
	CHANGE(NEMESIS, "drained 2", "drained 3");
	UNKNOWN("the clients' logs tell of 2 jobs that were acknowledged, and nemesis.log of 3");
}

static void a_fault_that_says_it_stayed_too_long_and_cannot_is_unknown(void **state)
{
	inject(state, "inject 1 dispatcher-killed 0");
	ADD(NEMESIS, "5000002 late 1");
	UNKNOWN("\"late\" cannot stand here");
}

static void a_pause_that_stayed_too_long_may_cause_a_death(void **state)
{
	inject(state, "inject 1 dispatcher-paused 0");
	CHANGE(NEMESIS, "3900000 heal 1", "3900000 late 1\n3900000 heal 1");
	chaos_history_accepted(*state);
}

static void an_act_that_was_cut_off_may_lack_faults(void **state)
{
	hold(state);
	act.bout_count = 2;
	terms.whole = false;
	chaos_history_accepted(*state);
}

static void an_act_with_a_fault_of_another_is_unknown(void **state)
{
	hold(state);
	bouts[0].first = fault_find("agent-killed");
	UNKNOWN("dispatcher-killed was injected, which its scenario does not say");
}

/* Nobody dies of it, and two jobs tell nothing of how long jobs take. */
static void spin(void **state)
{
	hold(state);
	bouts[0].first = fault_find("handler-spins");
	CHANGE(NEMESIS, "dispatcher-killed 0", "handler-spins -1");
	CHANGE(DATABASE, "3700000 dead A 2100000 2000000 B 4\n", "");
	CHANGE(DATABASE,
	       "3710000 back 2 16 c2 1 A pending\n3720000 claim 2 17 c3 2 B\n"
	       "3800000 end 2 18 c3 2 B completed\n",
	       "3800000 end 2 18 c2 1 A completed\n");
	CHANGE(B,
	       "3721000 claim B c3 2:2\n3721001 begin c3 2\n"
	       "3799000 complete k2 2:completed:c3\n3801000 answer k2 2:accepted\n",
	       "");
	ADD(A, "3799000 complete k2 2:completed:c2\n3801000 answer k2 2:accepted");
	CHANGE(EFFECT, "3722000 begin 2 c3 2 60\n3790000 end 2 c3 2 60\n",
	       "3790000 end 2 c2 1 51\n");
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 completed c2 1 1 0 0");
}

static void an_act_of_a_run_for_many_faults_may_leave_a_criterion_untold(void **state)
{
	spin(state);
	assert_int_equal(chaos_history_accepted(*state)->untold, 1);
}

static void a_run_for_one_fault_whose_criterion_could_not_be_told_is_unknown(void **state)
{
	spin(state);
	terms.lone = true;
	UNKNOWN("handler-spins (bout 1) was to be told by samples, and there were too few");
}

/* --- folders ------------------------------------------------------------------------------------ */

static void put(const char *folder, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void take_away(const char *folder, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(remove(path), 0);
}

/* An act that could not be played on that machine, as a run keeps it. */
static void put_act(const char *run, const char *name, uint64_t number)
{
	char folder[64];
	char text[256];

	snprintf(folder, sizeof(folder), "%s/%s", run, name);
	assert_int_equal(mkdir(folder, 0755), 0);
	snprintf(text, sizeof(text),
		 "name=plain\nstage=plain\nseed=%" PRIu64 "\nping_us=%" PRId64 "\ndeath_us=%" PRId64
		 "\nscan_us=%" PRId64 "\npoll_us=%" PRId64 "\nbegan_us=1\nplayed=0\n",
		 chance_part(7, number), plan_default.intervals.ping_ms * 1000,
		 plan_default.intervals.death_ms * 1000, plan_default.intervals.scan_ms * 1000,
		 plan_default.intervals.poll_ms * 1000);
	put(folder, "act", text);
	snprintf(text, sizeof(text),
		 "1 begin %" PRIu64 "\n1 skip fork-fails no such machine\n1 end\n1 closed 3\n",
		 chance_part(7, number));
	put(folder, "nemesis.log", text);
}

/* What the act in the folder of that name is found to be. */
static enum verdict_valid judge_folder(const char *name, uint64_t number, char *why)
{
	char run[] = "/tmp/locum-checker.XXXXXX";
	char folder[64];
	struct verdict_run *judged;
	enum verdict_valid valid;
	struct error err;

	assert_non_null(mkdtemp(run));
	put(run, "run", "faults=fork-fails\nseed=7\nacts=1\n");
	put_act(run, name, number);
	judged = retrial_judge(run, &err);
	if (judged == NULL)
		fail_msg("%s", err.text);
	valid = judged->acts[0].verdict.valid;
	snprintf(why, VERDICT_TEXT, "%s", judged->acts[0].verdict.why);
	verdict_run_free(judged);
	snprintf(folder, sizeof(folder), "%s/%s", run, name);
	take_away(folder, "act");
	take_away(folder, "nemesis.log");
	take_away(run, name);
	take_away(run, "run");
	assert_int_equal(rmdir(run), 0);
	return valid;
}

static void an_act_in_a_folder_that_is_not_called_as_it_is_is_unknown(void **state)
{
	static const char *const WRONG[] = { "001-plain", "1-plain", "01-plain-again", "01-plane" };
	char why[VERDICT_TEXT];

	(void)state;
	if (judge_folder("01-plain", 1, why) != VERDICT_VALID)
		fail_msg("%s", why);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		assert_int_equal(judge_folder(WRONG[i], 1, why), VERDICT_UNKNOWN);
		assert_non_null(strstr(why, "its folder is not called"));
	}
}

static void an_act_behind_the_last_of_its_run_is_unknown(void **state)
{
	char why[VERDICT_TEXT];

	(void)state;
	assert_int_equal(judge_folder("02-plain", 2, why), VERDICT_UNKNOWN);
	assert_non_null(strstr(why, "its folder is not called"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAOS_HISTORY_TEST(an_act_as_it_was_to_be_played_is_right),
		CHAOS_HISTORY_TEST(an_act_under_another_name_is_unknown),
		CHAOS_HISTORY_TEST(an_act_of_another_stage_is_unknown),
		CHAOS_HISTORY_TEST(an_act_of_another_seed_is_unknown),
		CHAOS_HISTORY_TEST(an_act_with_easier_settings_is_unknown),
		CHAOS_HISTORY_TEST(an_act_of_which_a_client_was_taken_out_is_unknown),
		CHAOS_HISTORY_TEST(an_act_that_says_itself_what_its_faults_demand_is_not_believed),
		CHAOS_HISTORY_TEST(
			an_act_that_says_itself_that_jobs_may_be_forgotten_is_not_believed),
		CHAOS_HISTORY_TEST(an_act_without_one_of_its_faults_is_unknown),
		CHAOS_HISTORY_TEST(an_act_with_a_fault_that_could_not_be_played_is_right),
		CHAOS_HISTORY_TEST(an_act_that_skips_what_every_machine_can_play_is_unknown),
		CHAOS_HISTORY_TEST(an_act_all_of_whose_faults_were_skipped_is_right),
		CHAOS_HISTORY_TEST(an_act_that_was_not_played_for_one_of_its_faults_is_unknown),
		CHAOS_HISTORY_TEST(an_act_of_which_an_acknowledgement_was_taken_out_is_unknown),
		CHAOS_HISTORY_TEST(a_fault_that_says_it_stayed_too_long_and_cannot_is_unknown),
		CHAOS_HISTORY_TEST(a_pause_that_stayed_too_long_may_cause_a_death),
		CHAOS_HISTORY_TEST(an_act_of_a_run_for_many_faults_may_leave_a_criterion_untold),
		CHAOS_HISTORY_TEST(
			a_run_for_one_fault_whose_criterion_could_not_be_told_is_unknown),
		cmocka_unit_test(an_act_in_a_folder_that_is_not_called_as_it_is_is_unknown),
		cmocka_unit_test(an_act_behind_the_last_of_its_run_is_unknown),
		CHAOS_HISTORY_TEST(an_act_that_was_cut_off_may_lack_faults),
		CHAOS_HISTORY_TEST(an_act_with_a_fault_of_another_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
