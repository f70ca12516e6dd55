#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/embedded.h"
#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* --- siblings ---------------------------------------------------------------------------------- */

static PGresult *scan(struct database *d, struct uuid self)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, self);
	return database_call(d, "sibling_scan", &args);
}

static void a_scan_sees_every_living_sibling_and_the_epoch(void **state)
{
	struct database *d = *state;
	struct uuid self = fleet_dispatcher(d);
	PGresult *result;

	fleet_dispatcher(d);
	fleet_kill(d, fleet_dispatcher(d));
	database_do(d, "update locum.dispatcher_ping set pinged_at = pinged_at - interval '9 s'");
	result = scan(d, self);
	assert_int_equal(rows_count(result), 2);
	assert_in_range(rows_int(result, 0, PQfnumber(result, "age_ms")), 9000, 60000);
	assert_int_equal(rows_int(result, 0, PQfnumber(result, "death_interval_ms")), 30000);
	assert_true(rows_int(result, 0, PQfnumber(result, "server_age_ms")) > 0);
	assert_false(rows_is_null(result, 0, PQfnumber(result, "epoch")));
	assert_false(rows_is_null(result, 0, PQfnumber(result, "epoch_age_ms")));
	PQclear(result);
}

/* Its row of pings was lost. Nobody makes another one for it. */
static void who_has_no_ping_is_seen_as_silent_and_can_be_declared_dead(void **state)
{
	struct database *d = *state;
	struct uuid self = fleet_dispatcher(d);
	struct uuid lost = fleet_dispatcher(d);
	char text[UUID_TEXT_SIZE];
	struct args args;
	PGresult *result;
	int row;

	args_init(&args);
	args_uuid(&args, self);
	args_int8(&args, -1);
	args_uuid(&args, self);
	args_text(&args, "{}");
	assert_int_equal(database_count(d, "dispatcher_death", &args), 0);
	database_do(d, "delete from locum.dispatcher_ping where incarnation = '%s'",
		    uuid_text(lost, text));
	result = scan(d, self);
	assert_int_equal(rows_count(result), 2);
	row = uuid_same(rows_uuid(result, 0, PQfnumber(result, "incarnation")), lost) ? 0 : 1;
	assert_int_equal(rows_int(result, row, PQfnumber(result, "seq")), -1);
	assert_int_equal(rows_int(result, row, PQfnumber(result, "death_interval_ms")), 30000);
	assert_true(rows_int(result, row, PQfnumber(result, "age_ms")) >= 0);
	PQclear(result);
	args_init(&args);
	args_uuid(&args, lost);
	args_int8(&args, -1);
	args_uuid(&args, self);
	args_text(&args, "{}");
	assert_int_equal(database_count(d, "dispatcher_death", &args), 1);
	assert_sql(d, "dead|-",
		   "select state, last_ping from locum.dispatcher join locum.death on "
		   "victim_incarnation = incarnation where incarnation = '%s'",
		   text);
}

static void an_epoch_that_is_missing_is_null_and_made_again(void **state)
{
	struct database *d = *state;
	struct uuid self = fleet_dispatcher(d);
	PGresult *result;

	database_do(d, "delete from locum.epoch");
	result = scan(d, self);
	assert_true(rows_is_null(result, 0, PQfnumber(result, "epoch")));
	PQclear(result);
	database_count(d, "epoch_ensure", NULL);
	database_count(d, "epoch_ensure", NULL);
	assert_sql(d, "1", "select count(*) from locum.epoch");
}

static void in_a_large_fleet_each_watches_its_successors(void **state)
{
	struct database *d = *state;
	struct uuid self;
	PGresult *result;

	for (int i = 0; i < LIMIT_SIBLINGS_WATCHED; i++)
		fleet_dispatcher(d);
	self = fleet_dispatcher(d);
	result = scan(d, self);
	assert_int_equal(rows_count(result), LIMIT_SUCCESSORS_WATCHED + 1);
	PQclear(result);
	fleet_kill(d, self);
	result = scan(d, self);
	assert_int_equal(rows_count(result), LIMIT_SIBLINGS_WATCHED);
	PQclear(result);
}

/* It waits for the death of another one under its id, and must find that one in any fleet. */
static void who_is_not_registered_sees_all_of_a_large_fleet(void **state)
{
	struct database *d = *state;
	PGresult *result;

	for (int i = 0; i <= LIMIT_SIBLINGS_WATCHED; i++)
		fleet_dispatcher(d);
	result = scan(d, uuid_make());
	assert_int_equal(rows_count(result), LIMIT_SIBLINGS_WATCHED + 1);
	PQclear(result);
}

static void each_of_a_large_fleet_is_watched(void **state)
{
	struct database *d = *state;
	struct uuid fleet[60];
	size_t count = sizeof(fleet) / sizeof(fleet[0]);

	database_do(d, "create table public.watched (incarnation text)");
	for (size_t i = 0; i < count; i++)
		fleet[i] = fleet_dispatcher(d);
	for (size_t i = 0; i < count; i++) {
		PGresult *result = scan(d, fleet[i]);

		for (int row = 0; row < rows_count(result); row++) {
			char text[UUID_TEXT_SIZE];

			database_do(d, "insert into public.watched values ('%s')",
				    uuid_text(rows_uuid(result, row, 0), text));
		}
		PQclear(result);
	}
	assert_int_equal(database_int(d,
				      "select count(*) from (select from public.watched "
				      "group by incarnation having count(*) = %d) as w",
				      LIMIT_SUCCESSORS_WATCHED + 1),
			 count);
	database_do(d, "drop table public.watched");
}

/* All but one fall silent at once: nobody waits for a death to be able to watch the next. */
static void the_survivor_of_a_large_fleet_watches_all_that_fell_silent(void **state)
{
	enum { FLEET = 60 };
	struct database *d = *state;
	struct uuid self = fleet_dispatcher(d);
	char text[UUID_TEXT_SIZE];
	PGresult *result;

	for (int i = 1; i < FLEET; i++)
		fleet_dispatcher(d);
	database_do(d,
		    "update locum.dispatcher_ping set pinged_at = clock_timestamp() - "
		    "interval '11 s' where incarnation <> '%s'",
		    uuid_text(self, text));
	result = scan(d, self);
	assert_int_equal(rows_count(result), FLEET);
	PQclear(result);
	/* Of those that ping, the first eight bound what is watched. */
	database_do(d, "update locum.dispatcher_ping set pinged_at = clock_timestamp() from "
		       "(select incarnation, row_number() over (order by id) %% 3 as n "
		       "from locum.dispatcher) as d where d.n = 0 and "
		       "d.incarnation = dispatcher_ping.incarnation");
	result = scan(d, self);
	assert_in_range(rows_count(result), 3 * LIMIT_SUCCESSORS_WATCHED - 2,
			3 * LIMIT_SUCCESSORS_WATCHED + 1);
	PQclear(result);
}

/* --- an old snapshot ---------------------------------------------------------------------------- */

enum {
	PINGING = 200,
	ROUNDS = 500,      /* of pings by the whole fleet: 100,000 */
	PAGES_MOST = 2000, /* read in 4 ms where this was written; 10 ms are allowed */
};

static const char *text_of(const char *statement)
{
	for (size_t i = 0; EMBEDDED_STATEMENTS[i].name != NULL; i++)
		if (strcmp(EMBEDDED_STATEMENTS[i].name, statement) == 0)
			return EMBEDDED_STATEMENTS[i].text;
	fail_msg("there is no statement %s", statement);
	return NULL;
}

/* How many pages a scan looks at, found in the cache or not. */
static int64_t pages_of_a_scan(struct database *d, struct uuid self)
{
	char uuid[UUID_TEXT_SIZE];
	const char *buffers;
	long hit = 0;
	long read = 0;

	PQclear(PQprepare(d->sql, "scan", text_of("sibling_scan"), 0, NULL));
	database_text(d, "explain (analyze, buffers, costs off, timing off) execute scan('%s')",
		      uuid_text(self, uuid));
	database_do(d, "deallocate scan");
	buffers = strstr(d->text, "Buffers: shared");
	assert_non_null(buffers);
	if (sscanf(buffers, "Buffers: shared hit=%ld read=%ld", &hit, &read) == 0)
		sscanf(buffers, "Buffers: shared read=%ld", &read);
	return hit + read;
}

/* The snapshot keeps every version of every ping. */
static void a_snapshot_held_over_100000_pings_leaves_scans_short(void **state)
{
	struct database *d = *state;
	struct uuid self = fleet_dispatcher(d);
	PGconn *old = database_connection(d);
	int64_t pages;

	for (int i = 1; i < PINGING; i++)
		fleet_dispatcher(d);
	PQclear(PQexec(old, "begin isolation level repeatable read; select from locum.job"));
	database_do(d,
		    "create procedure public.ping_all() language plpgsql as $$ begin "
		    "for i in 1..%d loop update locum.dispatcher_ping set seq = seq + 1, "
		    "pinged_at = clock_timestamp(); commit; end loop; end $$",
		    (int)ROUNDS);
	database_do(d, "set synchronous_commit = off");
	database_do(d, "call public.ping_all()");
	database_do(d, "drop procedure public.ping_all; reset synchronous_commit");
	pages = pages_of_a_scan(d, self);
	PQfinish(old);
	assert_in_range(pages, 100, PAGES_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_scan_sees_every_living_sibling_and_the_epoch),
		DATABASE_TEST(who_has_no_ping_is_seen_as_silent_and_can_be_declared_dead),
		DATABASE_TEST(an_epoch_that_is_missing_is_null_and_made_again),
		DATABASE_TEST(in_a_large_fleet_each_watches_its_successors),
		DATABASE_TEST(who_is_not_registered_sees_all_of_a_large_fleet),
		DATABASE_TEST(each_of_a_large_fleet_is_watched),
		DATABASE_TEST(the_survivor_of_a_large_fleet_watches_all_that_fell_silent),
		DATABASE_TEST(a_snapshot_held_over_100000_pings_leaves_scans_short),
	};

	return cmocka_run_group_tests_name("scan", tests, database_open, database_close);
}
