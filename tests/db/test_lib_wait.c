/* Waiting with liblocum, and its use by several threads, through the shared object, against a real server. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <locum.h>

#include "base/clock.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

enum { PATIENCE_MS = 60000 };

static struct locum_error error;

static struct locum *connected(struct database *d)
{
	struct locum *locum = locum_connect(d->conninfo, &error);

	if (locum == NULL)
		fail_msg("%s", error.message);
	return locum;
}

static struct locum_outcomes *await(struct locum *locum, const int64_t *ids, size_t count,
				    enum locum_wait_mode mode, int64_t timeout_ms)
{
	struct locum_outcomes *outcomes = locum_wait(locum, ids, count, mode, timeout_ms, &error);

	if (outcomes == NULL)
		fail_msg("%s", error.message);
	return outcomes;
}

/* Four jobs that end in the four ways, and a fifth that does not. */
static void submit_five(struct database *d, int64_t ids[5])
{
	struct fleet_outcome completed = { .outcome = "completed", .result = "{ \"ok\":1}" };
	struct fleet_outcome failed = { .outcome = "failed", .error = "no such file" };
	struct uuid dispatcher = fleet_dispatcher(d);
	struct args most;

	args_init(&most);
	args_int4(&most, 1);
	ids[0] = fleet_submit(d, "'h', expires => '0'");
	assert_int_equal(database_count(d, "job_expire", &most), 1);
	for (int i = 1; i < 5; i++)
		ids[i] = fleet_submit(d, "'h', priority => %d", i);
	completed.id = fleet_claim_one(d, dispatcher, &completed.claim_id);
	fleet_complete(d, dispatcher, &completed);
	failed.id = fleet_claim_one(d, dispatcher, &failed.claim_id);
	fleet_complete(d, dispatcher, &failed);
	database_do(d, "select locum.cancel(%lld)", (long long)ids[3]);
}

static void a_look_tells_states_results_and_errors(void **state)
{
	struct database *d = *state;
	struct locum *locum = connected(d);
	struct locum_outcomes *outcomes;
	int64_t ids[5];

	submit_five(d, ids);
	outcomes = await(locum, ids, 5, LOCUM_WAIT_ALL, 0);
	assert_int_equal(locum_outcomes_ended(outcomes), 4);
	assert_int_equal(locum_outcomes_state(outcomes, 0), LOCUM_STATE_EXPIRED);
	assert_int_equal(locum_outcomes_state(outcomes, 1), LOCUM_STATE_COMPLETED);
	assert_string_equal(locum_outcomes_result(outcomes, 1), "{ \"ok\":1}");
	assert_null(locum_outcomes_error(outcomes, 1));
	assert_int_equal(locum_outcomes_state(outcomes, 2), LOCUM_STATE_FAILED);
	assert_string_equal(locum_outcomes_error(outcomes, 2), "no such file");
	assert_null(locum_outcomes_result(outcomes, 2));
	assert_int_equal(locum_outcomes_state(outcomes, 3), LOCUM_STATE_CANCELLED);
	assert_int_equal(locum_outcomes_state(outcomes, 4), LOCUM_STATE_PENDING);
	locum_outcomes_free(outcomes);
	locum_outcomes_free(NULL);
	locum_close(locum);
}

static void a_wait_for_any_ends_with_the_first(void **state)
{
	struct database *d = *state;
	struct locum *locum = connected(d);
	struct locum_outcomes *outcomes;
	int64_t ids[5];

	submit_five(d, ids);
	outcomes = await(locum, ids + 3, 2, LOCUM_WAIT_ANY, PATIENCE_MS);
	assert_int_equal(locum_outcomes_ended(outcomes), 1);
	assert_int_equal(locum_outcomes_state(outcomes, 0), LOCUM_STATE_CANCELLED);
	locum_outcomes_free(outcomes);
	locum_close(locum);
}

static void a_wait_for_all_ends_at_its_timeout(void **state)
{
	struct database *d = *state;
	struct locum *locum = connected(d);
	struct locum_outcomes *outcomes;
	int64_t began_ms;
	int64_t ids[5];

	submit_five(d, ids);
	began_ms = clock_monotonic_ms();
	outcomes = await(locum, ids, 5, LOCUM_WAIT_ALL, 300);
	assert_in_range(clock_monotonic_ms() - began_ms, 300, PATIENCE_MS);
	assert_int_equal(locum_outcomes_ended(outcomes), 4);
	locum_outcomes_free(outcomes);
	locum_close(locum);
}

/* What another thread does meanwhile, on its own connection. */
struct errand {
	struct database *d;
	const char *statement;
};

static void *run_errand(void *argument)
{
	struct errand *errand = argument;
	PGconn *conn = PQconnectdb(errand->d->conninfo);

	PQclear(PQexec(conn, errand->statement));
	PQfinish(conn);
	return NULL;
}

static pthread_t start_errand(struct errand *errand)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run_errand, errand), 0);
	return thread;
}

static void a_wait_sees_a_job_end_without_being_asked_again(void **state)
{
	struct database *d = *state;
	struct errand errand = { d, "select pg_sleep(0.3), locum.cancel(id) from locum.job" };
	struct locum *locum = connected(d);
	struct locum_outcomes *outcomes;
	int64_t ids[2] = { fleet_submit(d, "'h'"), 1 };
	pthread_t thread = start_errand(&errand);

	outcomes = await(locum, ids, 2, LOCUM_WAIT_ALL, PATIENCE_MS); /* the same twice */
	assert_int_equal(locum_outcomes_ended(outcomes), 2);
	locum_outcomes_free(outcomes);
	assert_int_equal(pthread_join(thread, NULL), 0);
	locum_close(locum);
}

/* Transactions of the database so far. Those of a backend count when it has ended; looking for that is
 * one transaction, however long it takes. */
static int64_t transactions(struct database *d)
{
	database_do(d,
		    "do $$ begin "
		    "while exists (select from pg_stat_activity where application_name = 'locum' "
		    "and datname = current_database()) loop "
		    "assert clock_timestamp() < now() + interval '30 s', 'a connection stays'; "
		    "perform pg_sleep(0.01), pg_stat_clear_snapshot(); end loop; end $$");
	return database_int(d, "select xact_commit from pg_stat_database "
			       "where datname = current_database()");
}

static void a_wait_looks_seldom_not_all_the_time(void **state)
{
	struct database *d = *state;
	struct locum *locum = connected(d);
	int64_t id = fleet_submit(d, "'h'");
	int64_t before;

	locum_close(locum);
	before = transactions(d);
	locum = connected(d);
	locum_outcomes_free(await(locum, &id, 1, LOCUM_WAIT_ALL, 2000));
	locum_close(locum);
	assert_in_range(transactions(d) - before, 1, 60);
}

static void a_wait_goes_on_over_a_lost_connection(void **state)
{
	struct database *d = *state;
	struct errand errand = {
		d,
		"select pg_sleep(0.2); select pg_terminate_backend(pid, 10000) from pg_stat_activity "
		"where application_name = 'locum' and datname = current_database(); "
		"select locum.cancel(id) from locum.job"
	};
	struct locum *locum = connected(d);
	struct locum_outcomes *outcomes;
	int64_t id = fleet_submit(d, "'h'");
	pthread_t thread = start_errand(&errand);

	outcomes = await(locum, &id, 1, LOCUM_WAIT_ALL, PATIENCE_MS);
	assert_int_equal(locum_outcomes_state(outcomes, 0), LOCUM_STATE_CANCELLED);
	locum_outcomes_free(outcomes);
	assert_int_equal(pthread_join(thread, NULL), 0);
	locum_close(locum);
}

static void a_job_that_never_was_is_named(void **state)
{
	struct database *d = *state;
	struct locum *locum = connected(d);
	const int64_t ids[] = { fleet_submit(d, "'h'"), 99 };

	assert_null(locum_wait(locum, ids, 2, LOCUM_WAIT_ALL, -1, &error));
	assert_string_equal(error.message, "there is no job 99");
	assert_int_equal(error.place, 2);
	assert_int_equal(error.kind, LOCUM_ERROR_INPUT);
	locum_close(locum);
}

static void a_job_of_which_nothing_is_kept_is_gone(void **state)
{
	struct database *d = *state;
	struct errand errand = { d, "select pg_sleep(0.2), locum.cancel(id) from locum.job" };
	struct locum *locum = connected(d);
	struct locum_outcomes *outcomes;
	int64_t id = fleet_submit(d, "'h'");
	pthread_t thread;

	database_do(d, "update locum.queue set keep_finished = '0'");
	thread = start_errand(&errand);
	outcomes = await(locum, &id, 1, LOCUM_WAIT_ALL, PATIENCE_MS);
	assert_int_equal(locum_outcomes_state(outcomes, 0), LOCUM_STATE_GONE);
	assert_int_equal(locum_outcomes_ended(outcomes), 1);
	locum_outcomes_free(outcomes);
	assert_int_equal(pthread_join(thread, NULL), 0);
	locum_close(locum);
}

static void a_wait_in_a_transaction_is_refused(void **state)
{
	struct database *d = *state;
	struct locum *locum = locum_on(d->sql, &error);
	struct locum_outcomes *outcomes;
	int64_t id;

	database_do(d, "begin");
	id = locum_submit(locum, "h", NULL, NULL, &error);
	assert_null(locum_wait(locum, &id, 1, LOCUM_WAIT_ALL, -1, &error));
	assert_int_equal(error.kind, LOCUM_ERROR_INPUT);
	assert_string_equal(
		error.message,
		"a transaction is open, which would never see a job end: commit it first");
	database_do(d, "commit");
	outcomes = await(locum, &id, 1, LOCUM_WAIT_ALL, 0);
	assert_int_equal(locum_outcomes_state(outcomes, 0), LOCUM_STATE_PENDING);
	locum_outcomes_free(outcomes);
	locum_close(locum);
}

static void every_state_has_its_word(void **state)
{
	(void)state;
	assert_string_equal(locum_state_name(LOCUM_STATE_WAITING), "waiting");
	assert_string_equal(locum_state_name(LOCUM_STATE_EXPIRED), "expired");
	assert_string_equal(locum_state_name(LOCUM_STATE_GONE), "gone");
	assert_string_equal(locum_state_name(LOCUM_STATE_UNKNOWN), "unknown");
	assert_string_equal(locum_state_name((enum locum_state)4711), "unknown");
}

/* --- threads -------------------------------------------------------------------------------------- */

enum { THREADS = 2, ROUNDS = 20, JOBS = 50 };

struct producer {
	const char *conninfo;
	int64_t stored;
	struct locum_error error;
};

static int produce_batch(struct locum *locum, struct locum_batch *batch, struct locum_error *err)
{
	struct locum_outcomes *outcomes;
	int64_t ids[JOBS];

	for (int i = 0; i < JOBS; i++)
		if (locum_batch_add(batch, "h", "[1]", NULL, err) != 0)
			return -1;
	if (locum_batch_submit(locum, batch, NULL, ids, err) != 0 ||
	    locum_submit(locum, "h", NULL, NULL, err) < 0)
		return -1;
	outcomes = locum_wait(locum, ids, JOBS, LOCUM_WAIT_ANY, 0, err);
	locum_outcomes_free(outcomes);
	return outcomes == NULL ? -1 : 0;
}

static void *produce(void *argument)
{
	struct producer *producer = argument;
	struct locum *locum = locum_connect(producer->conninfo, &producer->error);
	struct locum_batch *batch = locum_batch_new(&producer->error);

	for (int i = 0; locum != NULL && batch != NULL && i < ROUNDS; i++)
		if (produce_batch(locum, batch, &producer->error) == 0)
			producer->stored += JOBS + 1;
	locum_batch_free(batch);
	locum_close(locum);
	return NULL;
}

static void threads_with_a_handle_each_do_not_disturb_each_other(void **state)
{
	struct database *d = *state;
	struct producer producers[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		producers[i] = (struct producer){ .conninfo = d->conninfo };
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_string_equal(producers[i].error.message, "");
		assert_int_equal(producers[i].stored, ROUNDS * (JOBS + 1));
	}
	assert_int_equal(database_int(d, "select count(*) from locum.job"),
			 THREADS * ROUNDS * (JOBS + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_look_tells_states_results_and_errors),
		DATABASE_TEST(a_wait_for_any_ends_with_the_first),
		DATABASE_TEST(a_wait_for_all_ends_at_its_timeout),
		DATABASE_TEST(a_wait_sees_a_job_end_without_being_asked_again),
		DATABASE_TEST(a_wait_looks_seldom_not_all_the_time),
		DATABASE_TEST(a_wait_goes_on_over_a_lost_connection),
		DATABASE_TEST(a_job_that_never_was_is_named),
		DATABASE_TEST(a_job_of_which_nothing_is_kept_is_gone),
		DATABASE_TEST(a_wait_in_a_transaction_is_refused),
		DATABASE_TEST(every_state_has_its_word),
		DATABASE_TEST(threads_with_a_handle_each_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
