/* A plugin host by itself: what handlers get and give, and what becomes of their transactions. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"
#include "tests/support/host_fixture.h"

static const char *const DEEDS[] = {
	"done",
	"echo",
	"tell",
	"retry",
	"fail",
	"strange",
	"flood",
	"patient",
	"busy",
	"crash",
	"massacre",
	"leak",
	"effect",
	"oversize",
	"effect_retry",
	"effect_bad_sql",
	"effect_bad_result",
	"effect_commits",
	"effect_crash",
	"effect_suicide",
	"effect_wait",
	"effect_slow",
	"settings",
	"meddle",
};

static void start(struct host_fixture *f, void **state)
{
	host_fixture_open(f, *state);
	for (size_t i = 0; i < sizeof(DEEDS) / sizeof(DEEDS[0]); i++)
		host_fixture_deed(f, DEEDS[i]);
	database_do(f->d, "drop table if exists effect");
	database_do(f->d, "create table effect (job bigint, at timestamptz default now())");
	host_fixture_start(f);
}

static bool is(struct wire_bytes bytes, const char *text)
{
	return bytes.bytes != NULL && bytes.length == strlen(text) &&
	       memcmp(bytes.bytes, text, bytes.length) == 0;
}

/* Runs a deed for a job of the database. */
static struct wire_outcome do_deed(struct host_fixture *f, const char *deed)
{
	struct wire_job job = host_fixture_claim(f, deed, "{}");

	return host_fixture_run(f, &job);
}

/* --- plain ------------------------------------------------------------------------------------- */

static void a_plugin_is_told_everything_and_its_result_and_log_come_back(void **state)
{
	struct host_fixture f;
	struct wire_job job;
	struct wire_outcome outcome;

	start(&f, state);
	job = host_fixture_job(5, "tell", "{}");
	job.timeout_ms = 60000;
	outcome = host_fixture_run(&f, &job);
	host_fixture_assert(outcome, VERDICT_DONE, NULL);
	assert_true(is(outcome.result,
		       "\"5 1 default tell 00000000-0000-0000-0500-000000000000 7 - "
		       "1\""));
	assert_true(is(outcome.log, "line 1\nline 2\n"));
	assert_true(outcome.started_ms > 0 && outcome.started_ms <= outcome.ended_ms);
	host_fixture_close(&f);
}

static void a_payload_of_a_mebibyte_passes_whole(void **state)
{
	struct host_fixture f;
	struct wire_job job;
	struct wire_outcome outcome;
	char *payload = malloc(LIMIT_PAYLOAD_BYTES + 1);

	start(&f, state);
	memset(payload, 'x', LIMIT_PAYLOAD_BYTES);
	payload[0] = '"';
	payload[LIMIT_PAYLOAD_BYTES - 1] = '"';
	payload[LIMIT_PAYLOAD_BYTES] = '\0';
	job = host_fixture_job(1, "echo", payload);
	outcome = host_fixture_run(&f, &job);
	host_fixture_assert(outcome, VERDICT_DONE, NULL);
	assert_true(is(outcome.result, payload));
	free(payload);
	host_fixture_close(&f);
}

static void each_way_to_fail_has_its_verdict(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(do_deed(&f, "retry"), VERDICT_RETRY, "not this time");
	host_fixture_assert(do_deed(&f, "fail"), VERDICT_FAIL, "never");
	host_fixture_assert(do_deed(&f, "strange"), VERDICT_RETRY, "the handler returned 42");
	assert_true(is(do_deed(&f, "oversize").result, "\"refused\""));
	host_fixture_close(&f);
}

static void a_log_keeps_its_tail_within_the_limit(void **state)
{
	struct host_fixture f;
	struct wire_outcome outcome;

	start(&f, state);
	outcome = do_deed(&f, "flood");
	host_fixture_assert(outcome, VERDICT_DONE, NULL);
	assert_true(outcome.log.length <= LIMIT_LOG_BYTES);
	assert_true(outcome.log.length > LIMIT_LOG_BYTES / 2);
	host_fixture_close(&f);
}

static void a_plugin_that_cannot_be_loaded_is_broken_and_its_jobs_are_released(void **state)
{
	struct host_fixture f;
	struct wire_job job = host_fixture_job(1, "gone", "{}");
	struct handler *handler;
	struct wire_outcome outcome;

	host_fixture_open(&f, NULL);
	(void)state;
	host_fixture_deed(&f, "no_such_symbol");
	host_fixture_deed(&f, "done");
	handler = host_fixture_deed(&f, "gone");
	free(handler->path);
	handler->path = strdup("/no/such/file.so");
	host_fixture_start(&f);
	outcome = host_fixture_run(&f, &job);
	assert_int_equal(outcome.verdict, VERDICT_RELEASED);
	assert_non_null(strstr(host_fixture_broken(&f, "gone").reason.bytes, "/no/such/file.so"));
	job = host_fixture_job(2, "no_such_symbol", "{}");
	outcome = host_fixture_run(&f, &job);
	assert_int_equal(outcome.verdict, VERDICT_RELEASED);
	host_fixture_broken(&f, "no_such_symbol");
	job = host_fixture_job(3, "done", "{}");
	host_fixture_assert(host_fixture_run(&f, &job), VERDICT_DONE, NULL);
	host_fixture_close(&f);
}

static void a_cancelled_job_that_gives_in_ends_as_cancelled(void **state)
{
	struct host_fixture f;
	struct wire_job jobs[2] = { host_fixture_job(1, "patient", "{}"),
				    host_fixture_job(2, "patient", "{}") };

	start(&f, state);
	host_fixture_send(&f, jobs, 2);
	host_fixture_await_started(&f, &jobs[0]);
	host_fixture_cancel(&f, &jobs[1]);
	host_fixture_assert(host_fixture_outcome(&f, &jobs[1]), VERDICT_CANCELLED,
			    "cancelled on request");
	assert_int_equal(host_fixture_outcome(&f, &jobs[1]).started_ms, 0);
	host_fixture_cancel(&f, &jobs[0]);
	host_fixture_assert(host_fixture_outcome(&f, &jobs[0]), VERDICT_CANCELLED,
			    "cancelled on request");
	host_fixture_close(&f);
}

static void a_job_past_its_timeout_has_failed_whatever_it_returns(void **state)
{
	struct host_fixture f;
	struct wire_job job = host_fixture_job(1, "patient", "{}");

	start(&f, state);
	job.timeout_ms = 50;
	host_fixture_assert(host_fixture_run(&f, &job), VERDICT_RETRY, "timed out after 50ms");
	host_fixture_close(&f);
}

static void a_stopped_host_hands_back_what_waits_and_ends(void **state)
{
	struct host_fixture f;
	struct wire_job jobs[2] = { host_fixture_job(1, "patient", "{}"),
				    host_fixture_job(2, "done", "{}") };

	start(&f, state);
	host_fixture_send(&f, jobs, 2);
	host_fixture_await_started(&f, &jobs[0]);
	host_fixture_stop(&f);
	assert_int_equal(host_fixture_await_exit(&f), 0);
	host_fixture_assert(host_fixture_outcome(&f, &jobs[0]), VERDICT_INTERRUPTED,
			    "stopped: the plugin host is shutting down");
	host_fixture_assert(host_fixture_outcome(&f, &jobs[1]), VERDICT_RELEASED,
			    "released: the plugin host is stopping");
	host_fixture_close(&f);
}

static void a_host_without_its_agent_dies_in_the_middle_of_a_job(void **state)
{
	struct host_fixture f;
	struct wire_job job = host_fixture_job(1, "busy", "60000");
	int status;

	start(&f, state);
	host_fixture_send(&f, &job, 1);
	host_fixture_await_started(&f, &job);
	close(f.socket);
	f.socket = -1;
	assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	f.pid = 0;
	host_fixture_close(&f);
}

static void nothing_begins_past_the_limit_on_the_slate(void **state)
{
	struct wire_job jobs[] = { host_fixture_job(1, "busy", "200"),
				   host_fixture_job(2, "done", "{}") };
	struct host_fixture f;

	start(&f, state);
	host_fixture_send(&f, jobs, 2);
	host_fixture_await_started(&f, &jobs[0]);
	slate_set_limit_ms(f.slate, 1);
	host_fixture_assert(host_fixture_outcome(&f, &jobs[0]), VERDICT_DONE, NULL);
	/* A host begins the next one before it reports the last one. */
	assert_int_equal(slate_read(f.slate).begun, 1);
	assert_false(host_fixture_has_outcome(&f, &jobs[1]));
	slate_set_limit_ms(f.slate, INT64_MAX);
	host_fixture_assert(host_fixture_outcome(&f, &jobs[1]), VERDICT_DONE, NULL);
	host_fixture_close(&f);
}

static void a_crash_leaves_on_the_slate_which_job_it_was(void **state)
{
	struct host_fixture f;
	struct wire_job jobs[3] = { host_fixture_job(1, "done", "{}"),
				    host_fixture_job(2, "crash", "{}"),
				    host_fixture_job(3, "done", "{}") };
	struct slate_view view;
	struct slate *slate;

	start(&f, state);
	host_fixture_send(&f, jobs, 3);
	slate = f.slate;
	f.slate = NULL;
	assert_int_equal(host_fixture_await_exit(&f), -SIGSEGV);
	view = slate_read(slate);
	assert_int_equal(view.begun, 2);
	assert_true(view.running);
	slate_close(slate);
	host_fixture_close(&f);
}

static void a_kill_of_everybody_is_refused(void **state)
{
	struct host_fixture f;
	struct wire_outcome outcome;

	start(&f, state);
	outcome = do_deed(&f, "massacre");
	host_fixture_assert(outcome, VERDICT_DONE, NULL);
	assert_true(is(outcome.result, "\"refused\""));
	host_fixture_close(&f);
}

static void a_host_without_descriptors_asks_to_be_replaced(void **state)
{
	enum { JOBS = 64 };
	struct wire_job jobs[JOBS];
	struct host_fixture f;

	start(&f, state);
	jobs[0] = host_fixture_job(1, "leak", "{}");
	for (int i = 1; i < JOBS; i++)
		jobs[i] = host_fixture_job(i + 1, "done", "{}");
	host_fixture_send(&f, jobs, JOBS);
	assert_int_equal(host_fixture_await_exit(&f), 0);
	for (int i = 0; i < JOBS; i++)
		host_fixture_assert(host_fixture_outcome(&f, &jobs[i]), VERDICT_DONE, NULL);
	host_fixture_close(&f);
}

/* --- transactions ------------------------------------------------------------------------------ */

static void effects_and_completion_are_committed_together(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(do_deed(&f, "effect"), VERDICT_SETTLED, NULL);
	assert_sql(f.d, "1", "select count(*) from effect");
	assert_sql(f.d, "completed|1|{\"booked\": 1}|booked\n|-|t",
		   "select state, attempt, result, log, error, started_at <= finished_at "
		   "from locum.finished");
	assert_sql(f.d, "0", "select count(*) from locum.job");
	host_fixture_close(&f);
}

static void effects_of_a_failure_are_rolled_back(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(do_deed(&f, "effect_retry"), VERDICT_RETRY, "thought better of it");
	host_fixture_assert(do_deed(&f, "effect_bad_sql"), VERDICT_RETRY,
			    "a statement of the handler failed");
	assert_int_equal(do_deed(&f, "effect_bad_result").verdict, VERDICT_FAIL);
	assert_int_equal(do_deed(&f, "effect_suicide").verdict, VERDICT_INTERRUPTED);
	assert_sql(f.d, "0|4|0",
		   "select (select count(*) from effect), (select count(*) from locum.job), "
		   "(select count(*) from locum.finished)");
	host_fixture_assert(do_deed(&f, "effect"), VERDICT_SETTLED, NULL);
	host_fixture_close(&f);
}

static void a_handler_that_ends_the_transaction_is_found_out(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(do_deed(&f, "effect_commits"), VERDICT_RETRY,
			    "the handler ended the transaction, which is not its to end");
	host_fixture_assert(do_deed(&f, "effect"), VERDICT_SETTLED, NULL);
	host_fixture_close(&f);
}

static void a_stolen_job_finds_the_gate_closed(void **state)
{
	struct host_fixture f;
	struct wire_job job;
	struct wire_outcome outcome;

	start(&f, state);
	job = host_fixture_claim(&f, "effect", "{}");
	database_do(f.d, "update locum.job set claim_id = gen_random_uuid()");
	outcome = host_fixture_run(&f, &job);
	host_fixture_assert(outcome, VERDICT_LOST, NULL);
	assert_sql(f.d, "0|1",
		   "select (select count(*) from effect), (select count(*) from locum.job)");
	host_fixture_close(&f);
}

/* Waits until effect_wait stands at its lock. Other tests wait for locks on the same server. */
static void await_waiter(struct database *d)
{
	while (database_int(d, "select count(*) from pg_locks join pg_database on oid = database "
			       "where datname = current_database() and locktype = 'advisory' "
			       "and not granted") == 0) {
	}
}

static void a_job_behind_the_gate_cannot_be_stolen(void **state)
{
	struct host_fixture f;
	struct wire_job job;
	struct uuid victim;

	start(&f, state);
	victim = f.dispatcher;
	job = host_fixture_claim(&f, "effect_wait", "{}");
	database_do(f.d, "select pg_advisory_lock(1)");
	host_fixture_send(&f, &job, 1);
	await_waiter(f.d);
	fleet_kill(f.d, victim);
	assert_int_equal(fleet_reclaim(f.d, victim, 10), 0);
	database_do(f.d, "select pg_advisory_unlock(1)");
	host_fixture_assert(host_fixture_outcome(&f, &job), VERDICT_SETTLED, NULL);
	assert_sql(f.d, "1|completed",
		   "select (select count(*) from effect), (select state from locum.finished)");
	host_fixture_close(&f);
}

static void a_silent_hosts_lock_ends_with_its_connection(void **state)
{
	struct host_fixture f;
	struct wire_job job;
	struct uuid victim;
	struct args args;

	start(&f, state);
	victim = f.dispatcher;
	job = host_fixture_claim(&f, "effect_wait", "{}");
	database_do(f.d, "select pg_advisory_lock(1)");
	host_fixture_send(&f, &job, 1);
	await_waiter(f.d);
	fleet_kill(f.d, victim);
	assert_int_equal(fleet_reclaim(f.d, victim, 10), 0);
	args_init(&args);
	args_uuid(&args, victim);
	assert_int_equal(database_count(f.d, "backend_terminate", &args), 1);
	assert_int_equal(fleet_reclaim(f.d, victim, 10), 1);
	database_do(f.d, "select pg_advisory_unlock(1)");
	assert_int_equal(host_fixture_outcome(&f, &job).verdict, VERDICT_INTERRUPTED);
	assert_sql(f.d, "0|pending",
		   "select (select count(*) from effect), (select state from locum.job)");
	host_fixture_close(&f);
}

static void a_cancelled_statement_ends_its_job_and_hits_no_other(void **state)
{
	struct host_fixture f;
	struct wire_job job;

	start(&f, state);
	for (int i = 0; i < 20; i++) {
		job = host_fixture_claim(&f, "effect_slow", "{}");
		host_fixture_send(&f, &job, 1);
		host_fixture_await_started(&f, &job);
		host_fixture_cancel(&f, &job);
		host_fixture_assert(host_fixture_outcome(&f, &job), VERDICT_CANCELLED,
				    "cancelled on request");
		host_fixture_assert(do_deed(&f, "effect"), VERDICT_SETTLED, NULL);
	}
	assert_sql(f.d, "20", "select count(*) from effect");
	host_fixture_close(&f);
}

static void the_statement_timeout_is_the_jobs_and_ends_with_it(void **state)
{
	struct host_fixture f;
	struct wire_job job;
	struct wire_outcome outcome;

	start(&f, state);
	job = host_fixture_claim(&f, "settings", "{}");
	job.timeout_ms = 7000;
	host_fixture_assert(host_fixture_run(&f, &job), VERDICT_SETTLED, NULL);
	outcome = do_deed(&f, "settings");
	host_fixture_assert(outcome, VERDICT_SETTLED, NULL);
	assert_sql(f.d, "\"7s\"\n\"0\"", "select result from locum.finished order by id");
	host_fixture_close(&f);
}

static void a_connection_that_broke_meanwhile_is_replaced(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(do_deed(&f, "effect"), VERDICT_SETTLED, NULL);
	database_do(f.d, "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
			 "where datname = current_database() and application_name = 'locum/host'");
	host_fixture_assert(do_deed(&f, "effect"), VERDICT_SETTLED, NULL);
	host_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_plugin_is_told_everything_and_its_result_and_log_come_back),
		DATABASE_TEST(a_payload_of_a_mebibyte_passes_whole),
		DATABASE_TEST(each_way_to_fail_has_its_verdict),
		DATABASE_TEST(a_log_keeps_its_tail_within_the_limit),
		DATABASE_TEST(a_plugin_that_cannot_be_loaded_is_broken_and_its_jobs_are_released),
		DATABASE_TEST(a_cancelled_job_that_gives_in_ends_as_cancelled),
		DATABASE_TEST(a_job_past_its_timeout_has_failed_whatever_it_returns),
		DATABASE_TEST(a_stopped_host_hands_back_what_waits_and_ends),
		DATABASE_TEST(a_host_without_its_agent_dies_in_the_middle_of_a_job),
		DATABASE_TEST(nothing_begins_past_the_limit_on_the_slate),
		DATABASE_TEST(a_crash_leaves_on_the_slate_which_job_it_was),
		DATABASE_TEST(a_kill_of_everybody_is_refused),
		DATABASE_TEST(a_host_without_descriptors_asks_to_be_replaced),
		DATABASE_TEST(effects_and_completion_are_committed_together),
		DATABASE_TEST(effects_of_a_failure_are_rolled_back),
		DATABASE_TEST(a_handler_that_ends_the_transaction_is_found_out),
		DATABASE_TEST(a_stolen_job_finds_the_gate_closed),
		DATABASE_TEST(a_job_behind_the_gate_cannot_be_stolen),
		DATABASE_TEST(a_silent_hosts_lock_ends_with_its_connection),
		DATABASE_TEST(a_cancelled_statement_ends_its_job_and_hits_no_other),
		DATABASE_TEST(the_statement_timeout_is_the_jobs_and_ends_with_it),
		DATABASE_TEST(a_connection_that_broke_meanwhile_is_replaced),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
