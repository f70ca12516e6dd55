/* Completions that say where the rows of their jobs stood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"

static const struct uuid NONE;

static int complete(struct database *d, struct uuid dispatcher, const struct fleet_outcome *ends,
		    size_t count)
{
	return fleet_complete_batch(d, dispatcher, uuid_make(), NONE, ends, count);
}

static const char *fate(struct database *d, const struct fleet_outcome *end)
{
	return fleet_lookup(d, uuid_make(), end->id, end->claim_id);
}

static void jobs_end_and_go_back_into_line_where_their_claims_found_them(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome ends[] = { fleet_claim_placed(d, dispatcher),
					fleet_claim_placed(d, dispatcher) };

	ends[1].outcome = "release";
	assert_int_equal(complete(d, dispatcher, ends, 2), 2);
	assert_sql(d, "completed\npending", "select state from locum.jobs order by id");
}

/* Some with a place, and some without. */
static void a_job_whose_row_has_moved_is_held_and_then_ends_by_its_id(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome ends[] = { fleet_claim_placed(d, dispatcher),
					fleet_claim_placed(d, dispatcher),
					fleet_claim_placed(d, dispatcher) };

	ends[0].outcome = "retry";
	database_do(d, "select locum.cancel(%d)", (int)ends[0].id);
	database_do(d, "update locum.job set priority = 9 where id = %d", (int)ends[1].id);
	assert_int_equal(complete(d, dispatcher, ends, 3), 1);
	assert_string_equal(fate(d, &ends[0]), "held");
	assert_string_equal(fate(d, &ends[1]), "held");
	ends[0].place = ROW_PLACE_UNKNOWN;
	ends[1].place = ROW_PLACE_UNKNOWN;
	assert_int_equal(complete(d, dispatcher, ends, 3), 2);
	assert_sql(d, "cancelled\ncompleted\ncompleted",
		   "select state from locum.finished order by id");
}

/* As after a vacuum, which gives a place to the next one. */
static void a_job_that_stands_where_another_one_stood_is_left_alone(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome ends[] = { fleet_claim_placed(d, dispatcher),
					fleet_claim_placed(d, dispatcher) };
	struct row_place first = ends[0].place;

	ends[0].place = ends[1].place;
	ends[1].place = first;
	ends[1].outcome = "release";
	assert_int_equal(complete(d, dispatcher, ends, 2), 0);
	assert_string_equal(fate(d, &ends[0]), "held");
	assert_string_equal(fate(d, &ends[1]), "held");
	assert_sql(d, "2|0",
		   "select (select count(*) from locum.job where claim_id is not null), "
		   "(select count(*) from locum.finished)");
}

static void the_place_of_a_later_claim_ends_nothing_for_an_earlier_one(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome former = fleet_claim_placed(d, dispatcher);
	struct fleet_outcome present;

	fleet_release(d, former.id, former.claim_id);
	database_do(d, "update locum.job set priority = 0");
	fleet_submit(d, "'h'");
	present = fleet_claim_placed(d, dispatcher);
	assert_int_equal(present.id, former.id);
	former.place = present.place;
	assert_int_equal(complete(d, dispatcher, &former, 1), 0);
	assert_string_equal(fate(d, &former), "lost");
	former.outcome = "retry";
	assert_int_equal(complete(d, dispatcher, &former, 1), 0);
	assert_int_equal(complete(d, dispatcher, &present, 1), 1);
}

/* It came back, or its table was emptied or written anew. */
static void a_place_behind_the_end_of_the_table_is_no_place(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome end = fleet_claim_placed(d, dispatcher);
	struct row_place place = end.place;

	memset(end.place.bytes, 0x7f, sizeof(end.place.bytes));
	assert_int_equal(complete(d, dispatcher, &end, 1), 0);
	assert_string_equal(fate(d, &end), "held");
	end.place = place;
	assert_int_equal(complete(d, dispatcher, &end, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(jobs_end_and_go_back_into_line_where_their_claims_found_them),
		DATABASE_TEST(a_job_whose_row_has_moved_is_held_and_then_ends_by_its_id),
		DATABASE_TEST(a_job_that_stands_where_another_one_stood_is_left_alone),
		DATABASE_TEST(the_place_of_a_later_claim_ends_nothing_for_an_earlier_one),
		DATABASE_TEST(a_place_behind_the_end_of_the_table_is_no_place),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
