#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

static int64_t up_to(struct database *d, const char *statement, int most)
{
	struct args args;

	args_init(&args);
	args_int4(&args, most);
	return database_count(d, statement, &args);
}

/* --- time -------------------------------------------------------------------------------------- */

static void a_job_whose_time_has_come_is_ready_at_the_head(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	fleet_submit(d, "'h', delay => '1 h'");
	fleet_submit(d, "'h', delay => '2 h'");
	assert_int_equal(up_to(d, "job_due", 10), 0);
	database_do(d, "update locum.job set run_at = now() where id = 2");
	assert_int_equal(up_to(d, "job_due", 10), 1);
	assert_sql(d, "1|pending|1\n2|pending|0\n3|scheduled|-",
		   "select id, state, lane from locum.job order by id");
	assert_int_equal(up_to(d, "job_due", 10), 0);
	assert_int_equal(fleet_claim_one(d, fleet_dispatcher(d), NULL), 2);
}

static void the_longest_due_go_first_and_in_chunks(void **state)
{
	struct database *d = *state;

	database_do(d, "select locum.submit('h', delay => n * interval '1 h') "
		       "from generate_series(1, 5) as n");
	database_do(d, "update locum.job set run_at = now() - run_at + now()");
	assert_int_equal(up_to(d, "job_due", 2), 2);
	assert_sql(d, "4,5",
		   "select string_agg(id::text, ',' order by id) from locum.job "
		   "where state = 'pending'");
	assert_int_equal(up_to(d, "job_due", 10), 3);
}

static void a_held_job_does_not_become_due(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	fleet_claim_one(d, fleet_dispatcher(d), NULL);
	database_do(d, "update locum.job set state = 'held', lane = null, run_at = now(), "
		       "claim_id = null, incarnation = null");
	assert_int_equal(up_to(d, "job_due", 10), 0);
}

static void what_was_not_started_in_time_expires(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', '{\"a\":1}', expires => '0 s', key => 'k'");
	fleet_submit(d, "'h', expires => '1 h'");
	fleet_submit(d, "'h', expires => '0 s', delay => '1 h'");
	fleet_submit(d, "'h'");
	assert_int_equal(up_to(d, "job_expire", 10), 2);
	assert_sql(d,
		   "1|expired|0|0|-|not started before it expired|k\n"
		   "3|expired|0|0|-|not started before it expired|-",
		   "select id, state, attempt, claim_seq, claim_id, error, key from locum.finished "
		   "order by id");
	assert_sql(d, "2\n4", "select id from locum.job order by id");
}

static void what_was_claimed_does_not_expire(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', expires => '1 h'");
	fleet_claim_one(d, fleet_dispatcher(d), NULL);
	database_do(d, "update locum.job set expires_at = now() - interval '1 s'");
	assert_int_equal(up_to(d, "job_expire", 10), 0);
}

static void expiry_goes_in_chunks_and_skips_what_is_locked(void **state)
{
	struct database *d = *state;

	database_do(d, "select locum.submit('h', expires => '0 s') from generate_series(1, 5)");
	database_do(d, "begin; select from locum.job where id = 1 for update");
	assert_int_equal(up_to(d, "job_expire", 2), 2);
	assert_int_equal(up_to(d, "job_expire", 10), 2);
	database_do(d, "rollback");
	assert_int_equal(up_to(d, "job_expire", 10), 1);
}

/* Its follow-up has a key that somebody else is about to submit. */
static void an_expiry_waits_for_nobodys_key_longer_than_the_limit(void **state)
{
	struct database *d = *state;
	PGconn *other = database_connection(d);
	struct args args;

	fleet_submit(d, "'h', expires => '0 s', \"then\" => "
			"'{\"always\": {\"handler\": \"h\", \"key\": \"K\"}}'");
	PQclear(PQexec(other, "begin; select locum.submit('h', key => 'K')"));
	args_init(&args);
	args_int4(&args, 10);
	assert_null(database_try(d, "job_expire", &args));
	assert_string_equal(d->err.sqlstate, "55P03");
	PQfinish(other);
	assert_int_equal(up_to(d, "job_expire", 10), 1);
}

/* --- partitions -------------------------------------------------------------------------------- */

static const char DAYS[] =
	"select count(*), min(relname)::text = 'finished_' || to_char(now() at time "
	"zone 'UTC', 'YYYYMMDD') from pg_class join pg_inherits on inhrelid = "
	"pg_class.oid where inhparent = 'locum.finished'::regclass";

static void partitions_are_made_ahead_once(void **state)
{
	struct database *d = *state;
	struct args args;
	PGresult *result;

	assert_sql(d, "8|t", "%s", DAYS);
	for (int i = 0; i < 2; i++) {
		args_init(&args);
		args_int4(&args, LIMIT_PARTITIONS_AHEAD + 2);
		result = database_call(d, "partition_prepare", &args);
		assert_int_equal(rows_int(result, 0, 0), i == 0 ? 2 : 0);
		PQclear(result);
	}
	assert_sql(d, "10|t", "%s", DAYS);
}

static void a_partition_has_the_bounds_of_a_utc_day(void **state)
{
	struct database *d = *state;

	database_do(d, "set timezone = 'Pacific/Auckland'");
	assert_sql(d, "1", "select locum.finished_prepare('2001-02-03', '2001-02-03')");
	database_do(d, "set timezone = 'UTC'");
	assert_sql(d, "FOR VALUES FROM ('2001-02-03 00:00:00+00') TO ('2001-02-04 00:00:00+00')",
		   "select pg_get_expr(relpartbound, oid) from pg_class "
		   "where relname = 'finished_20010203'");
	assert_sql(
		d, "t",
		"select count(*) filter (where indrelid = 'locum.finished_20010203'::regclass) = "
		"count(*) filter (where indrelid = 'locum.finished'::regclass) from pg_index");
	database_do(d, "drop table locum.finished_20010203");
}

/* Runs what partition_drop says, as the housekeeper does. */
static int drop_old(struct database *d)
{
	PGresult *result = database_call(d, "partition_drop", NULL);
	int count = rows_count(result);

	for (int row = 0; row < count; row++)
		if (db_execute(d->db, rows_text(result, row, 0), &d->err) != 0)
			fail_msg("%s: %s", rows_text(result, row, 0), d->err.text);
	PQclear(result);
	return count;
}

static void old_partitions_are_dropped_and_young_ones_stay(void **state)
{
	struct database *d = *state;

	database_do(d,
		    "select locum.finished_prepare(date '2001-02-03', date '2001-02-04'), "
		    "locum.finished_prepare((now() at time zone 'UTC')::date - %d, "
		    "(now() at time zone 'UTC')::date - 1)",
		    LIMIT_RETENTION_DAYS + 2);
	assert_int_equal(drop_old(d), 6);
	assert_int_equal(
		database_int(d, "select count(*) from pg_class where relname < 'finished_2002' "
				"and relname ~ '^finished_[0-9]{8}$'"),
		0);
	assert_int_equal(database_int(d, "select count(*) from pg_inherits where inhparent = "
					 "'locum.finished'::regclass"),
			 LIMIT_RETENTION_DAYS + 1 + LIMIT_PARTITIONS_AHEAD + 2 + 1);
	assert_int_equal(drop_old(d), 0);
}

static void the_queue_that_keeps_longest_decides(void **state)
{
	struct database *d = *state;

	database_do(d, "select locum.finished_prepare((now() at time zone 'UTC')::date - 40, "
		       "(now() at time zone 'UTC')::date - 1)");
	database_do(d, "insert into locum.queue (name, keep_finished) values ('long', '60 days')");
	assert_int_equal(drop_old(d), 0);
	database_do(d, "delete from locum.queue where name = 'long'");
	assert_true(drop_old(d) > 0);
}

static void a_drop_that_was_interrupted_is_taken_up(void **state)
{
	struct database *d = *state;

	database_do(d, "select locum.finished_prepare(date '2001-02-03', date '2001-02-03')");
	database_do(d, "alter table locum.finished detach partition locum.finished_20010203");
	assert_int_equal(drop_old(d), 1);
	assert_sql(d, "-", "select to_regclass('locum.finished_20010203')");
}

/* --- keeping house ----------------------------------------------------------------------------- */

static void finished(struct database *d, int64_t id, const char *queue, const char *age)
{
	database_do(d, "alter table locum.finished disable trigger edges");
	database_do(
		d,
		"insert into locum.finished (id, created_at, finished_at, claim_seq, queue_id, state, "
		"on_interrupt, priority, attempt, max_attempts, interruptions, recoveries, handler, "
		"submitted_by, payload) select %d, now(), now() - interval '%s', 1, id, 'completed', "
		"'retry', 5, 1, 5, 0, 0, 'h', 'me', '{}' from locum.queue where name = '%s'",
		(int)id, age, queue);
	database_do(d, "alter table locum.finished enable trigger edges");
}

static int64_t keep(struct database *d, int most)
{
	struct args args;
	PGresult *result;
	int64_t count;

	args_init(&args);
	args_int4(&args, most);
	result = database_call(d, "house_keep", &args);
	count = rows_int(result, 0, 0);
	PQclear(result);
	return count;
}

static void a_queue_that_keeps_for_less_time_is_swept(void **state)
{
	struct database *d = *state;

	database_do(d, "insert into locum.queue (name, keep_finished) values ('brief', '1 hour')");
	database_do(d, "select locum.finished_prepare((now() at time zone 'UTC')::date - 1, "
		       "(now() at time zone 'UTC')::date)");
	finished(d, 1, "brief", "2 hours");
	finished(d, 2, "brief", "3 hours");
	finished(d, 3, "brief", "30 min");
	finished(d, 4, "default", "3 hours");
	assert_int_equal(keep(d, 1), 1);
	assert_int_equal(keep(d, 100), 1);
	assert_int_equal(keep(d, 100), 0);
	assert_sql(d, "3\n4", "select id from locum.finished order by id");
}

static void what_was_left_behind_goes(void **state)
{
	struct database *d = *state;
	struct uuid alive = fleet_dispatcher(d);
	struct uuid dead = fleet_dispatcher(d);
	char text[2][UUID_TEXT_SIZE];

	database_do(d,
		    "insert into locum.request (request_id, jobs, created_at) values "
		    "(gen_random_uuid(), '{1}', now() - interval '%d h'), "
		    "(gen_random_uuid(), '{2}', now() - interval '%d h')",
		    LIMIT_REQUEST_HOURS + 1, LIMIT_REQUEST_HOURS - 1);
	database_do(d,
		    "insert into locum.receipt (completion_id, incarnation, jobs) values "
		    "(gen_random_uuid(), '%s', '{1}'), (gen_random_uuid(), '%s', '{2}')",
		    uuid_text(alive, text[0]), uuid_text(dead, text[1]));
	database_do(
		d,
		"insert into locum.signal (incarnation, job_id, claim_id, kind, created_at) values "
		"('%s', 1, gen_random_uuid(), 'cancel', now() - interval '2 days'), "
		"('%s', 2, gen_random_uuid(), 'cancel', now())",
		text[0], text[0]);
	fleet_kill(d, dead);
	keep(d, 100);
	assert_sql(d, "{2}|{1}|2",
		   "select (select jobs from locum.request), (select jobs from locum.receipt), "
		   "(select job_id from locum.signal)");
}

static void incarnations_that_ended_long_ago_go_and_owners_stay(void **state)
{
	struct database *d = *state;
	struct uuid owner = fleet_dispatcher(d);

	fleet_submit(d, "'h'");
	fleet_claim_one(d, owner, NULL);
	fleet_kill(d, owner);
	fleet_kill(d, fleet_dispatcher(d));
	keep(d, 100);
	assert_sql(d, "2", "select count(*) from locum.dispatcher");
	database_do(d, "update locum.dispatcher set ended_at = now() - interval '15 days'");
	keep(d, 100);
	assert_sql(d, "1", "select count(*) from locum.dispatcher");
}

/* Even where no finished job is kept at all. */
static void death_certificates_are_kept_for_a_while(void **state)
{
	struct database *d = *state;

	fleet_kill(d, fleet_dispatcher(d));
	database_do(d, "update locum.queue set keep_finished = '0'");
	keep(d, 100);
	assert_sql(d, "1|1",
		   "select (select count(*) from locum.death), (select count(*) "
		   "from locum.dispatcher)");
	database_do(d, "update locum.death set declared_at = now() - interval '%d days'",
		    2 * LIMIT_RETENTION_DAYS + 1);
	keep(d, 100);
	assert_sql(d, "0", "select count(*) from locum.death");
}

static void queues_are_found_by_name(void **state)
{
	static const char *const NAMES[] = { "default", "mail", "nobody's" };
	struct database *d = *state;
	struct args args;
	PGresult *result;

	database_do(
		d,
		"insert into locum.queue (name, paused) values ('mail', true), ('other', false)");
	args_init(&args);
	args_string_array(&args, NAMES, 3);
	result = database_call(d, "queue_find", &args);
	assert_int_equal(rows_count(result), 2);
	for (int row = 0; row < 2; row++)
		assert_int_equal(rows_bool(result, row, 2),
				 strcmp(rows_text(result, row, 0), "mail") == 0);
	PQclear(result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_job_whose_time_has_come_is_ready_at_the_head),
		DATABASE_TEST(the_longest_due_go_first_and_in_chunks),
		DATABASE_TEST(a_held_job_does_not_become_due),
		DATABASE_TEST(what_was_not_started_in_time_expires),
		DATABASE_TEST(what_was_claimed_does_not_expire),
		DATABASE_TEST(expiry_goes_in_chunks_and_skips_what_is_locked),
		DATABASE_TEST(an_expiry_waits_for_nobodys_key_longer_than_the_limit),
		DATABASE_TEST(partitions_are_made_ahead_once),
		DATABASE_TEST(a_partition_has_the_bounds_of_a_utc_day),
		DATABASE_TEST(old_partitions_are_dropped_and_young_ones_stay),
		DATABASE_TEST(the_queue_that_keeps_longest_decides),
		DATABASE_TEST(a_drop_that_was_interrupted_is_taken_up),
		DATABASE_TEST(a_queue_that_keeps_for_less_time_is_swept),
		DATABASE_TEST(what_was_left_behind_goes),
		DATABASE_TEST(incarnations_that_ended_long_ago_go_and_owners_stay),
		DATABASE_TEST(death_certificates_are_kept_for_a_while),
		DATABASE_TEST(queues_are_found_by_name),
	};

	return cmocka_run_group_tests_name("house", tests, database_open, database_close);
}
