#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/dispatcher.h"
#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* --- ping -------------------------------------------------------------------------------------- */

static int64_t ping_of(struct database *d, struct uuid incarnation)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	args_int8(&args, 12345);
	return database_count(d, "ping", &args);
}

static void a_ping_counts_and_says_the_time_and_the_interval(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);

	database_do(d, "update locum.dispatcher_ping set pinged_at = pinged_at - interval '1 h'");
	assert_int_equal(ping_of(d, dispatcher), 1);
	assert_int_equal(ping_of(d, dispatcher), 1);
	assert_sql(d, "2|12345|t",
		   "select seq, death_interval_ms, clock_timestamp() - pinged_at < '1 min' "
		   "from locum.dispatcher_ping");
}

static void the_dead_cannot_ping(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);

	fleet_kill(d, dispatcher);
	assert_int_equal(ping_of(d, dispatcher), 0);
	assert_int_equal(ping_of(d, uuid_make()), 0);
	assert_sql(d, "0", "select count(*) from locum.dispatcher_ping");
}

/* Runs NAME in an explicit transaction and returns how that commits. */
static const char *commit_of(struct database *d, const char *name, struct args *args)
{
	assert_int_equal(db_execute(d->db, "begin", &d->err), 0);
	database_count(d, name, args);
	assert_int_equal(db_execute(d->db,
				    "do $$ begin execute format('comment on table public.left_job "
				    "is %L', current_setting('synchronous_commit')); end $$; "
				    "commit",
				    &d->err),
			 0);
	return database_text(d, "select obj_description('public.left_job'::regclass)");
}

static void a_ping_does_not_wait_for_the_disk_and_nothing_else_is_changed(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct args args;

	args_init(&args);
	args_uuid(&args, dispatcher);
	args_int8(&args, 30000);
	assert_string_equal(commit_of(d, "ping", &args), "off");
	args_init(&args);
	args_uuid(&args, dispatcher);
	args_int8_array(&args, NULL, 0);
	assert_string_equal(commit_of(d, "signal_take", &args), "on");
}

static void idleness_does_not_wait_for_the_disk(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	static const char *const QUEUES[] = { "default" };
	struct args args;

	args_init(&args);
	args_uuid(&args, dispatcher);
	args_text(&args, "main");
	args_int4(&args, 8);
	args_string_array(&args, QUEUES, 1);
	args_string_array(&args, QUEUES, 1);
	args_string_array(&args, NULL, 0);
	assert_int_equal(database_count(d, "agent_save", &args), 1);
	args_init(&args);
	args_uuid(&args, dispatcher);
	args_bool(&args, true);
	assert_string_equal(commit_of(d, "agent_idle", &args), "off");
	assert_sql(d, "main|8|{default}|{}|t",
		   "select name, size, queues, broken, idle from locum.agent");
}

static void the_pings_update_is_heap_only(void **state)
{
	static const char HOT[] =
		"select pg_stat_get_xact_tuples_hot_updated('locum.dispatcher_ping'::regclass)";
	struct database *d = *state;
	int64_t before;

	fleet_dispatcher(d);
	database_do(d, "begin");
	before = database_int(d, "%s", HOT);
	database_do(
		d, "update locum.dispatcher_ping set seq = seq + 1, pinged_at = clock_timestamp()");
	assert_int_equal(database_int(d, "%s", HOT), before + 1);
	database_do(d, "commit");
}

/* --- signals ------------------------------------------------------------------------------------ */

/* What is told when these were taken, as "JOB KIND" with a comma between; the last one's id is kept. */
static void assert_told(struct database *d, struct uuid dispatcher, struct signal *taken,
			const char *expected)
{
	struct signal *signals;
	size_t count;
	char told[256] = "";

	assert_int_equal(signal_take(d->db, dispatcher, taken, taken->id == 0 ? 0 : 1, &signals,
				     &count, &d->err),
			 0);
	for (size_t i = 0; i < count; i++)
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%d %s",
			 i == 0 ? "" : ",", (int)signals[i].job_id,
			 signals[i].kind == SIGNAL_CANCEL ? "cancel" : "drain");
	assert_string_equal(told, expected);
	if (count > 0)
		*taken = signals[count - 1];
	free(signals);
}

static void a_signal_comes_until_it_is_said_that_it_came(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct signal none = { 0 };
	struct signal taken = { 0 };

	fleet_submit(d, "'h'");
	fleet_claim_one(d, dispatcher, NULL);
	database_do(d, "select locum.cancel(1)");
	assert_told(d, fleet_dispatcher(d), &none, "");
	assert_told(d, dispatcher, &taken, "1 cancel");
	assert_told(d, dispatcher, &taken, "");
	assert_sql(d, "0", "select count(*) from locum.signal");
	taken.id = 0;
	database_do(d, "select locum.cancel(1), locum.drain(id) from locum.dispatcher "
		       "order by seq limit 1");
	assert_told(d, dispatcher, &taken, "1 cancel,0 drain");
	/* Only what is named was taken: the cancellation comes again. */
	assert_told(d, dispatcher, &taken, "1 cancel");
	assert_told(d, dispatcher, &taken, "");
}

/* --- death ------------------------------------------------------------------------------------- */

static struct args *death_of(struct args *args, struct uuid victim, int64_t seq, struct uuid reaper)
{
	args_init(args);
	args_uuid(args, victim);
	args_int8(args, seq);
	args_uuid(args, reaper);
	args_text(args, "{\"age_ms\": 31000}");
	return args;
}

static void a_death_leaves_a_certificate_and_no_ping(void **state)
{
	struct database *d = *state;
	struct uuid victim = fleet_dispatcher(d);
	struct uuid reaper = fleet_dispatcher(d);
	struct args args;
	char text[2][UUID_TEXT_SIZE];

	ping_of(d, victim);
	database_do(d,
		    "create table public.last as select pinged_at from locum.dispatcher_ping "
		    "where incarnation = '%s'",
		    uuid_text(victim, text[0]));
	assert_int_equal(database_count(d, "dispatcher_death", death_of(&args, victim, 1, reaper)),
			 1);
	assert_int_equal(
		database_int(d,
			     "select count(*) from locum.deaths join public.last "
			     "on last_ping = pinged_at where victim_incarnation = '%s' and "
			     "declared_by = '%s' and victim_id = (select id from "
			     "locum.dispatcher where incarnation = victim_incarnation) and "
			     "evidence = '{\"age_ms\": 31000}' and returned_at is null",
			     uuid_text(victim, text[0]), uuid_text(reaper, text[1])),
		1);
	assert_sql(
		d, "dead|t|0",
		"select state, ended_at is not null, (select count(*) from locum.dispatcher_ping p "
		"where p.incarnation = d.incarnation) from locum.dispatcher d where incarnation = '%s'",
		text[0]);
	database_do(d, "drop table public.last");
}

static void one_that_pinged_meanwhile_is_not_declared_dead(void **state)
{
	struct database *d = *state;
	struct uuid victim = fleet_dispatcher(d);
	struct args args;

	ping_of(d, victim);
	assert_int_equal(
		database_count(d, "dispatcher_death", death_of(&args, victim, 0, uuid_make())), 0);
	assert_sql(d, "running|0",
		   "select state, (select count(*) from locum.death) "
		   "from locum.dispatcher");
	assert_int_equal(ping_of(d, victim), 1);
}

static void nobody_dies_twice(void **state)
{
	struct database *d = *state;
	struct uuid victim = fleet_dispatcher(d);
	struct args args;

	assert_int_equal(
		database_count(d, "dispatcher_death", death_of(&args, victim, 0, uuid_make())), 1);
	assert_int_equal(
		database_count(d, "dispatcher_death", death_of(&args, victim, 0, uuid_make())), 0);
	assert_sql(d, "1", "select count(*) from locum.death");
}

static void a_death_does_not_wait_for_the_victims_locks(void **state)
{
	static const char *const TABLES[] = { "dispatcher", "dispatcher_ping" };
	struct database *d = *state;
	struct uuid victim = fleet_dispatcher(d);
	struct args args;

	for (size_t i = 0; i < 2; i++) {
		database_do(d, "begin; select from locum.%s for share", TABLES[i]);
		assert_null(database_try(d, "dispatcher_death",
					 death_of(&args, victim, 0, uuid_make())));
		assert_string_equal(d->err.sqlstate, "55P03");
		database_do(d, "rollback");
	}
	assert_sql(d, "running", "select state from locum.dispatcher");
}

/* As a reference to the row holds it: neither a death nor a birth changes its keys. */
static void somebodys_key_share_lock_delays_no_death_and_no_birth(void **state)
{
	struct database *d = *state;
	struct fleet_birth birth = { .id = uuid_make(), .incarnation = uuid_make() };
	PGconn *other = database_connection(d);
	struct uuid victim = fleet_dispatcher(d);
	struct args args;

	PQclear(fleet_register(d, &birth));
	database_do(d, "set lock_timeout = '10 s'");
	PQclear(PQexec(other, "begin; select from locum.dispatcher for key share"));
	assert_int_equal(
		database_count(d, "dispatcher_death", death_of(&args, victim, 0, uuid_make())), 1);
	birth.former = birth.incarnation;
	birth.incarnation = uuid_make();
	PQclear(fleet_register(d, &birth));
	PQfinish(other);
	assert_sql(d, "dead\ndead\nrunning",
		   "select state from locum.dispatcher order by ended_at");
}

static void a_victim_that_returns_is_recorded(void **state)
{
	struct database *d = *state;
	struct uuid victim = fleet_dispatcher(d);
	struct args args;

	fleet_kill(d, victim);
	args_init(&args);
	args_uuid(&args, victim);
	assert_int_equal(database_count(d, "dispatcher_return", &args), 1);
	assert_sql(d, "t", "select returned_at >= declared_at from locum.deaths");
}

static void only_the_victims_connections_are_ended(void **state)
{
	struct database *d = *state;
	struct uuid victim = uuid_make();
	char text[UUID_TEXT_SIZE];
	struct args args;
	PGconn *pump = database_connection(d);
	PGconn *other = database_connection(d);

	PQclear(PQexec(pump, "begin"));
	uuid_text(victim, text);
	database_do(d, "select 1");
	{
		char command[128];

		snprintf(command, sizeof(command), "set application_name = 'locum/pump/%s'", text);
		PQclear(PQexec(pump, command));
	}
	args_init(&args);
	args_uuid(&args, victim);
	assert_int_equal(database_count(d, "backend_terminate", &args), 1);
	PQclear(PQexec(pump, "select 1"));
	assert_int_equal(PQstatus(pump), CONNECTION_BAD);
	PQclear(PQexec(other, "select 1"));
	assert_int_equal(PQstatus(other), CONNECTION_OK);
	assert_sql(d, "1", "select 1");
	PQfinish(pump);
	PQfinish(other);
}

/* --- register ---------------------------------------------------------------------------------- */

static PGresult *born(struct database *d, struct fleet_birth *birth, bool expected)
{
	PGresult *result;

	birth->incarnation = uuid_make();
	result = fleet_register(d, birth);
	assert_int_equal(rows_count(result), 1);
	assert_int_equal(rows_bool(result, 0, 0), expected);
	return result;
}

static void a_second_process_with_the_same_id_is_refused_by_name(void **state)
{
	struct database *d = *state;
	struct fleet_birth birth = { .id = uuid_make() };
	PGresult *result;

	PQclear(born(d, &birth, true));
	database_do(d, "update locum.dispatcher_ping set pinged_at = pinged_at - interval '7 s'");
	result = born(d, &birth, false);
	assert_string_equal(rows_text(result, 0, PQfnumber(result, "host")), "host");
	assert_int_equal(rows_int(result, 0, PQfnumber(result, "pid")), 4711);
	assert_in_range(rows_int(result, 0, PQfnumber(result, "age_ms")), 7000, 60000);
	PQclear(result);
	assert_sql(d, "1|1",
		   "select (select count(*) from locum.dispatcher), "
		   "(select count(*) from locum.dispatcher_ping)");
}

static void its_own_corpse_is_buried_at_once(void **state)
{
	struct database *d = *state;
	struct fleet_birth birth = { .id = uuid_make() };
	char text[UUID_TEXT_SIZE];

	PQclear(born(d, &birth, true));
	fleet_submit(d, "'h'");
	fleet_claim_one(d, birth.incarnation, NULL);
	birth.former = birth.incarnation;
	PQclear(born(d, &birth, true));
	assert_sql(d, "dead\nrunning", "select state from locum.dispatcher order by seq");
	assert_int_equal(
		database_int(d,
			     "select count(*) from locum.deaths where declared_by = '%s' "
			     "and evidence = '{\"own_corpse\": true}' and last_ping is not null",
			     uuid_text(birth.incarnation, text)),
		1);
	assert_sql(d, text, "select incarnation from locum.dispatcher_ping");
	assert_int_equal(fleet_reclaim(d, birth.former, 10), 1);
}

static void a_registration_that_is_sent_again_changes_nothing(void **state)
{
	struct database *d = *state;
	const struct fleet_birth birth = { .id = uuid_make(), .incarnation = uuid_make() };

	for (int i = 0; i < 2; i++) {
		PGresult *result = fleet_register(d, &birth);

		assert_true(rows_bool(result, 0, 0));
		PQclear(result);
	}
	assert_sql(d, "running|1",
		   "select state, (select count(*) from locum.dispatcher_ping) "
		   "from locum.dispatcher");
}

static void a_state_file_copied_to_another_machine_proves_nothing(void **state)
{
	struct database *d = *state;
	struct fleet_birth birth = { .id = uuid_make() };

	PQclear(born(d, &birth, true));
	birth.former = birth.incarnation;
	birth.machine = "another";
	PQclear(born(d, &birth, false));
	assert_sql(d, "running|0",
		   "select state, (select count(*) from locum.death) "
		   "from locum.dispatcher");
}

static void an_older_corpse_proves_nothing(void **state)
{
	struct database *d = *state;
	struct fleet_birth birth = { .id = uuid_make() };
	struct uuid first;

	PQclear(born(d, &birth, true));
	first = birth.incarnation;
	birth.former = first;
	PQclear(born(d, &birth, true));
	birth.former = first;
	PQclear(born(d, &birth, false));
}

static void the_dead_and_the_stopped_are_followed(void **state)
{
	struct database *d = *state;
	struct fleet_birth birth = { .id = uuid_make() };
	struct args args;

	PQclear(born(d, &birth, true));
	fleet_kill(d, birth.incarnation);
	PQclear(born(d, &birth, true));
	args_init(&args);
	args_uuid(&args, birth.incarnation);
	database_count(d, "dispatcher_stop", &args);
	PQclear(born(d, &birth, true));
	assert_sql(d, "dead\nstopped\nrunning", "select state from locum.dispatcher order by seq");
	assert_sql(d, "1", "select count(*) from locum.dispatcher_ping");
}

static void a_drain_ends_claiming_and_idleness(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct args args;

	args_init(&args);
	args_uuid(&args, dispatcher);
	assert_int_equal(database_count(d, "dispatcher_drain", &args), 1);
	assert_sql(d, "draining", "select state from locum.dispatcher");
	assert_int_equal(ping_of(d, dispatcher), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_ping_counts_and_says_the_time_and_the_interval),
		DATABASE_TEST(the_dead_cannot_ping),
		DATABASE_TEST(a_ping_does_not_wait_for_the_disk_and_nothing_else_is_changed),
		DATABASE_TEST(idleness_does_not_wait_for_the_disk),
		DATABASE_TEST(the_pings_update_is_heap_only),
		DATABASE_TEST(a_signal_comes_until_it_is_said_that_it_came),
		DATABASE_TEST(a_death_leaves_a_certificate_and_no_ping),
		DATABASE_TEST(one_that_pinged_meanwhile_is_not_declared_dead),
		DATABASE_TEST(nobody_dies_twice),
		DATABASE_TEST(a_death_does_not_wait_for_the_victims_locks),
		DATABASE_TEST(somebodys_key_share_lock_delays_no_death_and_no_birth),
		DATABASE_TEST(a_victim_that_returns_is_recorded),
		DATABASE_TEST(only_the_victims_connections_are_ended),
		DATABASE_TEST(a_second_process_with_the_same_id_is_refused_by_name),
		DATABASE_TEST(its_own_corpse_is_buried_at_once),
		DATABASE_TEST(a_registration_that_is_sent_again_changes_nothing),
		DATABASE_TEST(a_state_file_copied_to_another_machine_proves_nothing),
		DATABASE_TEST(an_older_corpse_proves_nothing),
		DATABASE_TEST(the_dead_and_the_stopped_are_followed),
		DATABASE_TEST(a_drain_ends_claiming_and_idleness),
	};

	return cmocka_run_group_tests_name("dispatcher", tests, database_open, database_close);
}
