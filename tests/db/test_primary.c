/* Which database a dispatcher takes for its own, and which completions it misses there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/primary.h"
#include "dispatcher/recent.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

enum { LATER_TIMELINE = 1000000 };

static int64_t system_id(struct database *d)
{
	return database_int(d, "select system_identifier from pg_control_system()");
}

/* Connects as a dispatcher does that remembers this. */
static int connect_as(struct database *d, int64_t known_id, int64_t known_timeline,
		      const char *more, int64_t *timeline)
{
	const struct primary_options known = { .system_id = known_id, .timeline = known_timeline };
	struct primary *primary = primary_open(&known);
	char conninfo[600];
	const struct db_options options = { .conninfo = conninfo,
					    .role = "test",
					    .answer_ms = 60000 };
	struct db *db = NULL;
	int status;

	snprintf(conninfo, sizeof(conninfo), "%s %s", d->conninfo, more);
	assert_non_null(primary);
	status = primary_connect(primary, &db, &options, timeline, &d->err);
	db_close(db);
	primary_close(primary);
	return status;
}

static void the_database_is_taken_at_first_and_known_again(void **state)
{
	struct database *d = *state;
	int64_t timeline = 0;

	assert_int_equal(connect_as(d, 0, 0, "", &timeline), 0);
	assert_int_equal(timeline, 1);
	assert_int_equal(connect_as(d, system_id(d), timeline, "", &timeline), 0);
}

static void another_database_is_refused(void **state)
{
	struct database *d = *state;
	int64_t timeline;

	assert_int_equal(connect_as(d, system_id(d) + 1, 1, "", &timeline), -1);
	assert_int_equal(d->err.kind, ERROR_FATAL);
	assert_non_null(strstr(d->err.text, "another database"));
}

static void an_earlier_timeline_is_refused(void **state)
{
	struct database *d = *state;
	int64_t timeline;

	assert_int_equal(connect_as(d, system_id(d), LATER_TIMELINE, "", &timeline), -1);
	assert_int_equal(d->err.kind, ERROR_FATAL);
	assert_non_null(strstr(d->err.text, "left behind by a failover"));
}

static void a_role_that_may_not_know_works_on_without(void **state)
{
	struct database *d = *state;
	int64_t timeline = 0;

	database_do(d, "create role locum_blind login");
	database_do(d, "revoke execute on function pg_control_system() from public");
	assert_int_equal(connect_as(d, system_id(d) + 1, 7, "user=locum_blind", &timeline), 0);
	assert_int_equal(timeline, 7);
	database_do(d, "grant execute on function pg_control_system() to public");
	database_do(d, "drop role locum_blind");
}

/* --- completions ------------------------------------------------------------------------------- */

/* Submits, claims and completes a job, and remembers it. */
static int64_t complete_one(struct database *d, struct recent *recent, struct uuid self,
			    struct uuid *claim_id)
{
	struct holding holding = { .queue_id = 1 };

	fleet_submit(d, "'h'");
	holding.id = fleet_claim_one(d, self, claim_id);
	holding.claim_id = *claim_id;
	assert_string_equal(fleet_complete(d, self,
					   &(struct fleet_outcome){ .id = holding.id,
								    .claim_id = *claim_id,
								    .outcome = "completed" }),
			    "completed");
	recent_add(recent, &holding);
	return holding.id;
}

static void completions_that_are_not_stored_are_missed_once(void **state)
{
	struct database *d = *state;
	struct recent *recent = recent_open();
	struct uuid self = fleet_dispatcher(d);
	struct uuid claim_id;
	int64_t gone = complete_one(d, recent, self, &claim_id);
	int64_t other = complete_one(d, recent, self, &claim_id);

	complete_one(d, recent, self, &claim_id);
	assert_int_equal(recent_count(recent), 3);
	assert_int_equal(recent_check(recent, d->db, &d->err), 0);
	database_do(d, "delete from locum.finished where id = %lld", (long long)gone);
	database_do(d, "update locum.finished set claim_id = gen_random_uuid() where id = %lld",
		    (long long)other);
	assert_int_equal(recent_check(recent, d->db, &d->err), 2);
	assert_int_equal(recent_check(recent, d->db, &d->err), 0);
	recent_close(recent);
}

static void what_its_queue_does_not_keep_is_not_missed(void **state)
{
	struct database *d = *state;
	struct recent *recent = recent_open();
	struct uuid claim_id;

	database_do(d, "update locum.queue set keep_finished = '0'");
	complete_one(d, recent, fleet_dispatcher(d), &claim_id);
	assert_int_equal(database_int(d, "select count(*) from locum.finished"), 0);
	assert_int_equal(recent_check(recent, d->db, &d->err), 0);
	recent_close(recent);
}

static void the_oldest_are_forgotten_first(void **state)
{
	struct database *d = *state;
	struct recent *recent = recent_open();
	struct holding stored = { .queue_id = 1 };

	/* This one is nowhere. */
	recent_add(recent, &(struct holding){ .id = INT64_MAX, .queue_id = 1 });
	stored.id = complete_one(d, recent, fleet_dispatcher(d), &stored.claim_id);
	for (int i = 0; i < LIMIT_RECENT_COMPLETIONS - 1; i++)
		recent_add(recent, &stored);
	assert_int_equal(recent_count(recent), LIMIT_RECENT_COMPLETIONS);
	assert_int_equal(recent_check(recent, d->db, &d->err), 0);
	recent_close(recent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(the_database_is_taken_at_first_and_known_again),
		DATABASE_TEST(another_database_is_refused),
		DATABASE_TEST(an_earlier_timeline_is_refused),
		DATABASE_TEST(a_role_that_may_not_know_works_on_without),
		DATABASE_TEST(completions_that_are_not_stored_are_missed_once),
		DATABASE_TEST(what_its_queue_does_not_keep_is_not_missed),
		DATABASE_TEST(the_oldest_are_forgotten_first),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
