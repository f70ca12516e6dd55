#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/job.h"
#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

static const char *const HANDLERS[] = { "h" };
static const char *const QUEUES[] = { "default" };

/* What an agent of the queue "default" and the handler "h" sees, which knows the queue as this. */
static struct job_sight look_knowing(struct database *d, int32_t known)
{
	const int32_t queue = 1;
	const struct job_look_args args = {
		.queues = &queue,
		.queue_count = 1,
		.handlers = HANDLERS,
		.handler_count = 1,
		.names = QUEUES,
		.known = &known,
		.name_count = 1,
	};
	struct job_sight sight = { 0 };
	struct db_call call;
	PGresult *rows = NULL;

	job_look_call(&call, &args);
	if (db_run(d->db, &call, 1, &rows, &d->err) != 0 ||
	    job_look_rows(rows, &sight, &d->err) != 0)
		fail_msg("%s", d->err.text);
	PQclear(rows);
	return sight;
}

static struct job_sight look(struct database *d)
{
	return look_knowing(d, 1);
}

static void an_empty_line_shows_nothing(void **state)
{
	struct job_sight sight = look(*state);

	assert_false(sight.ready || sight.due || sight.expired || sight.changed);
}

static void what_could_be_claimed_shows(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'other'");
	fleet_submit(d, "'h', queue => 'mail'");
	fleet_submit(d, "'h', delay => '1 h'");
	assert_false(look(d).ready);
	fleet_submit(d, "'h', priority => 9");
	assert_true(look(d).ready);
	assert_int_equal(fleet_claim(d, fleet_dispatcher(d), 10, NULL), 1);
	assert_false(look(d).ready);
}

static void what_came_back_into_line_shows(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);

	fleet_submit(d, "'h'");
	fleet_claim(d, dispatcher, 1, NULL);
	fleet_kill(d, dispatcher);
	fleet_reclaim(d, dispatcher, 10);
	assert_true(look(d).ready);
}

static void what_has_become_due_or_expired_shows(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', delay => '1 h'");
	assert_false(look(d).due);
	database_do(d, "update locum.job set run_at = now()");
	assert_true(look(d).due);
	fleet_submit(d, "'h', expires => '1 h'");
	assert_false(look(d).expired);
	database_do(d, "update locum.job set expires_at = now() where expires_at is not null");
	assert_true(look(d).expired);
}

static void a_queue_that_is_not_as_known_shows(void **state)
{
	struct database *d = *state;

	assert_true(look_knowing(d, 0).changed);
	assert_true(look_knowing(d, 2).changed);
	assert_true(look_knowing(d, -1).changed);
	database_do(d, "select locum.queue_pause('default')");
	assert_true(look_knowing(d, 1).changed);
	assert_false(look_knowing(d, -1).changed);
	database_do(d, "delete from locum.queue");
	assert_false(look_knowing(d, 0).changed);
	fleet_submit(d, "'h'");
	assert_true(look_knowing(d, 1).changed);
}

static int64_t horizon(struct database *d)
{
	struct db_call call = { .statement = "job_horizon" };
	PGresult *rows = NULL;
	int64_t id;

	args_init(&call.args);
	if (db_run(d->db, &call, 1, &rows, &d->err) != 0)
		fail_msg("%s", d->err.text);
	id = rows_int(rows, 0, 0);
	PQclear(rows);
	return id;
}

/* Whoever skips to it would pass over the first job of all. */
static void the_horizon_is_the_last_id_and_before_the_first_job_there_is_none(void **state)
{
	struct database *d = *state;

	assert_int_equal(horizon(d), 0);
	fleet_submit(d, "'h'");
	assert_int_equal(horizon(d), 1);
	fleet_submit(d, "'h'");
	assert_int_equal(horizon(d), 2);
}

/* It has no transaction id, so that its end waits for no disk. */
static void a_look_only_reads(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	assert_int_equal(db_execute(d->db, "set default_transaction_read_only = on", &d->err), 0);
	assert_true(look(d).ready);
	assert_int_equal(db_execute(d->db, "reset default_transaction_read_only", &d->err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(an_empty_line_shows_nothing),
		DATABASE_TEST(what_could_be_claimed_shows),
		DATABASE_TEST(what_came_back_into_line_shows),
		DATABASE_TEST(what_has_become_due_or_expired_shows),
		DATABASE_TEST(a_queue_that_is_not_as_known_shows),
		DATABASE_TEST(the_horizon_is_the_last_id_and_before_the_first_job_there_is_none),
		DATABASE_TEST(a_look_only_reads),
	};

	return cmocka_run_group_tests_name("look", tests, database_open, database_close);
}
