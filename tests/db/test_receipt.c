#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"

static const struct uuid NONE;

/* A dispatcher that holds the jobs 1 to 3 under one claim. */
struct scene {
	struct uuid dispatcher;
	struct uuid claim_id;
	struct uuid completion_id;
};

static struct scene three_claimed(struct database *d)
{
	struct scene scene = { .dispatcher = fleet_dispatcher(d), .completion_id = uuid_make() };

	database_do(d, "select locum.submit('h') from generate_series(1, 3)");
	assert_int_equal(fleet_claim(d, scene.dispatcher, 3, &scene.claim_id), 3);
	return scene;
}

static int ends(struct database *d, const struct scene *scene, int64_t id, const char *outcome)
{
	const struct fleet_outcome end = { .id = id,
					   .claim_id = scene->claim_id,
					   .outcome = outcome };

	return fleet_complete_batch(d, scene->dispatcher, scene->completion_id, NONE, &end, 1);
}

static const char *verdict(struct database *d, const struct scene *scene, int64_t id)
{
	return fleet_lookup(d, scene->completion_id, id, scene->claim_id);
}

static void a_completion_that_is_sent_again_is_mine(void **state)
{
	static const char *const OUTCOMES[] = { "completed", "retry", "release" };
	struct database *d = *state;
	struct scene scene = three_claimed(d);

	for (int i = 0; i < 3; i++)
		assert_int_equal(ends(d, &scene, i + 1, OUTCOMES[i]), 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ends(d, &scene, i + 1, OUTCOMES[i]), 0);
		assert_string_equal(verdict(d, &scene, i + 1), "mine");
	}
	assert_sql(d, "1", "select count(*) from locum.finished");
}

static void parts_of_one_completion_share_its_receipt(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);

	assert_int_equal(ends(d, &scene, 3, "completed"), 1);
	assert_int_equal(ends(d, &scene, 1, "completed"), 1);
	assert_sql(d, "{3,1}", "select jobs from locum.receipt");
}

static void a_claim_that_stands_is_held(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);

	assert_string_equal(verdict(d, &scene, 1), "held");
}

static void a_job_that_was_reassigned_is_lost(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);

	fleet_kill(d, scene.dispatcher);
	fleet_reclaim(d, scene.dispatcher, 10);
	assert_string_equal(verdict(d, &scene, 1), "lost");
	fleet_claim(d, fleet_dispatcher(d), 10, NULL);
	assert_string_equal(verdict(d, &scene, 1), "lost");
}

static void a_job_that_somebody_else_finished_is_lost(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);
	struct scene other = { .dispatcher = fleet_dispatcher(d), .completion_id = uuid_make() };

	fleet_kill(d, scene.dispatcher);
	fleet_reclaim(d, scene.dispatcher, 10);
	fleet_claim(d, other.dispatcher, 10, &other.claim_id);
	assert_int_equal(ends(d, &other, 1, "completed"), 1);
	assert_string_equal(verdict(d, &scene, 1), "lost");
	assert_string_equal(verdict(d, &other, 1), "mine");
}

static void a_job_that_completed_itself_is_mine(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);
	char text[UUID_TEXT_SIZE];

	database_do(d, "select locum.complete(1, '%s')", uuid_text(scene.claim_id, text));
	assert_int_equal(ends(d, &scene, 1, "completed"), 0);
	assert_string_equal(verdict(d, &scene, 1), "mine");
}

static void a_job_without_a_trace_is_gone(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);

	assert_string_equal(verdict(d, &scene, 4711), "gone");
}

static void a_confirmed_receipt_goes_with_the_next_completion(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);
	struct uuid former = scene.completion_id;
	struct fleet_outcome end = { .id = 2, .claim_id = scene.claim_id, .outcome = "completed" };

	assert_int_equal(ends(d, &scene, 1, "completed"), 1);
	assert_int_equal(fleet_complete_batch(d, scene.dispatcher, uuid_make(), former, &end, 1),
			 1);
	assert_sql(d, "{2}", "select jobs from locum.receipt");
}

static void a_receipt_is_confirmed_alone_too(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);
	struct args args;

	assert_int_equal(ends(d, &scene, 1, "completed"), 1);
	args_init(&args);
	args_uuid_array(&args, &scene.completion_id, 1);
	assert_int_equal(database_count(d, "receipt_confirm", &args), 1);
	assert_sql(d, "0", "select count(*) from locum.receipt");
}

static void nothing_accepted_leaves_no_receipt(void **state)
{
	struct database *d = *state;
	struct scene scene = three_claimed(d);

	scene.claim_id = uuid_make();
	assert_int_equal(ends(d, &scene, 1, "completed"), 0);
	assert_sql(d, "0", "select count(*) from locum.receipt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_completion_that_is_sent_again_is_mine),
		DATABASE_TEST(parts_of_one_completion_share_its_receipt),
		DATABASE_TEST(a_claim_that_stands_is_held),
		DATABASE_TEST(a_job_that_was_reassigned_is_lost),
		DATABASE_TEST(a_job_that_somebody_else_finished_is_lost),
		DATABASE_TEST(a_job_that_completed_itself_is_mine),
		DATABASE_TEST(a_job_without_a_trace_is_gone),
		DATABASE_TEST(a_confirmed_receipt_goes_with_the_next_completion),
		DATABASE_TEST(a_receipt_is_confirmed_alone_too),
		DATABASE_TEST(nothing_accepted_leaves_no_receipt),
	};

	return cmocka_run_group_tests_name("receipt", tests, database_open, database_close);
}
