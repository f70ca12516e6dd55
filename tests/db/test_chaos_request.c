/* The fault proxy before a real server: what it does to single requests and their answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/detour_scene.h"

/* --- requests ----------------------------------------------------------------------------------- */

static void a_request_that_is_cut_never_arrives(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_CUT_REQUEST,
							.trigger = "public.mark",
							.times = 1 });
	assert_string_equal(detour_scene_ask(scene.conn, DETOUR_SCENE_MARK), "lost");
	detour_scene_await(&scene, DETOUR_SCENE_GONE);
	assert_int_equal(detour_scene_marks(&scene), 0);
	assert_int_equal(relay_hits(scene.detour.relay), 1);
	PQreset(scene.conn);
	assert_string_equal(detour_scene_ask(scene.conn, DETOUR_SCENE_MARK), "INSERT 0 1");
	detour_scene_close(&scene);
}

static void an_answer_that_is_cut_is_of_what_was_done(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_CUT_ANSWER,
							.trigger = "public.mark",
							.times = 1 });
	assert_string_equal(detour_scene_ask(scene.conn, DETOUR_SCENE_MARK), "lost");
	/* The client is cut off when the server has answered. */
	assert_int_equal(detour_scene_marks(&scene), 1);
	detour_scene_close(&scene);
}

/* A prepared statement, found by its name, with what else is in its transaction. */
static void a_statement_is_found_by_its_name_where_it_runs(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(
		&scene,
		&(struct relay_rule){ .harm = RELAY_CUT_ANSWER, .trigger = "mark_it", .times = 1 });
	PQclear(PQprepare(scene.conn, "mark_it", DETOUR_SCENE_MARK, 0, NULL));
	assert_int_equal(relay_hits(scene.detour.relay), 0);
	PQenterPipelineMode(scene.conn);
	PQsendQueryParams(scene.conn, DETOUR_SCENE_MARK, 0, NULL, NULL, NULL, NULL, 0);
	PQsendQueryPrepared(scene.conn, "mark_it", 0, NULL, NULL, NULL, 0);
	PQpipelineSync(scene.conn);
	detour_await(&scene.detour, 1);
	detour_scene_await(&scene, DETOUR_SCENE_GONE);
	assert_int_equal(detour_scene_marks(&scene), 2);
	detour_scene_close(&scene);
}

static void a_request_that_is_held_waits_with_its_client(void **state)
{
	struct detour_scene scene;
	int64_t began_ms = clock_monotonic_ms();

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_HOLD,
							.trigger = "public.mark",
							.times = 1,
							.hold_ms = DETOUR_SCENE_BRIEF_MS });
	assert_string_equal(detour_scene_ask(scene.conn, DETOUR_SCENE_MARK), "INSERT 0 1");
	assert_true(clock_monotonic_ms() - began_ms >= DETOUR_SCENE_BRIEF_MS);
	assert_true(relay_bytes(scene.detour.relay) > 0);
	detour_scene_close(&scene);
}

static void a_held_request_of_a_client_that_is_cut_off_arrives_late(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_HOLD_AND_CUT,
							.trigger = "public.mark",
							.times = 1 });
	assert_string_equal(detour_scene_ask(scene.conn, DETOUR_SCENE_MARK), "lost");
	assert_int_equal(detour_scene_marks(&scene), 0);
	assert_sql(scene.d, "idle",
		   "select state from pg_stat_activity where application_name = 'victim/one'");
	detour_scene_harm(&scene, &DETOUR_PASS);
	detour_scene_await(&scene, "select count(*) = 1 from public.mark");
	detour_scene_await(&scene, DETOUR_SCENE_GONE);
	detour_scene_close(&scene);
}

static void a_held_end_of_a_request_keeps_its_transaction_open(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_HOLD_SYNC,
							.trigger = "public.mark",
							.times = 1 });
	PQenterPipelineMode(scene.conn);
	PQsendQueryParams(scene.conn, DETOUR_SCENE_MARK, 0, NULL, NULL, NULL, NULL, 0);
	PQpipelineSync(scene.conn);
	detour_scene_await(
		&scene, "select count(*) = 1 from pg_stat_activity where backend_xid is not null "
			"and application_name = 'victim/one'");
	assert_int_equal(detour_scene_marks(&scene), 0);
	detour_scene_harm(&scene, &DETOUR_PASS);
	detour_scene_await(&scene, "select count(*) = 1 from public.mark");
	detour_scene_close(&scene);
}

static void a_commit_of_an_aborted_transaction_says_rollback(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){
					  .harm = RELAY_ABORT, .trigger = "commit", .times = 1 });
	assert_string_equal(detour_scene_ask(scene.conn, "begin"), "BEGIN");
	assert_string_equal(detour_scene_ask(scene.conn, DETOUR_SCENE_MARK), "INSERT 0 1");
	assert_string_equal(detour_scene_ask(scene.conn, "commit"), "ROLLBACK");
	assert_int_equal(relay_hits(scene.detour.relay), 1);
	assert_int_equal(detour_scene_marks(&scene), 0);
	assert_string_equal(detour_scene_ask(scene.conn, DETOUR_SCENE_MARK), "INSERT 0 1");
	detour_scene_close(&scene);
}

static void a_pipeline_that_is_aborted_fails_at_its_end(void **state)
{
	static const ExecStatusType EXPECTED[] = { PGRES_COMMAND_OK, PGRES_FATAL_ERROR,
						   PGRES_PIPELINE_SYNC };
	struct detour_scene scene;
	size_t seen = 0;

	detour_scene_open(&scene, *state);
	detour_scene_harm(
		&scene, &(struct relay_rule){ .harm = RELAY_ABORT, .trigger = "mark", .times = 1 });
	PQenterPipelineMode(scene.conn);
	PQsendQueryParams(scene.conn, DETOUR_SCENE_MARK, 0, NULL, NULL, NULL, NULL, 0);
	PQpipelineSync(scene.conn);
	while (seen < 3) {
		PGresult *result = PQgetResult(scene.conn);

		if (result != NULL)
			assert_int_equal(PQresultStatus(result), EXPECTED[seen++]);
		PQclear(result);
	}
	assert_int_equal(detour_scene_marks(&scene), 0);
	detour_scene_close(&scene);
}

/* --- chance ------------------------------------------------------------------------------------ */

static void chance_is_the_same_for_the_same_seed(void **state)
{
	struct detour_scene scene;
	int cut[2] = { 0 };

	detour_scene_open(&scene, *state);
	for (int round = 0; round < 2; round++) {
		detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_CUT_REQUEST,
								.trigger = "public.mark",
								.percent = 50,
								.seed = 7 });
		for (int i = 0; i < 16; i++) {
			if (strcmp(detour_scene_ask(scene.conn, DETOUR_SCENE_MARK), "lost") != 0)
				continue;
			cut[round] = cut[round] * 16 + i;
			PQreset(scene.conn);
		}
		assert_in_range(relay_hits(scene.detour.relay), 1, 15);
	}
	assert_int_equal(cut[0], cut[1]);
	detour_scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_request_that_is_cut_never_arrives),
		DATABASE_TEST(an_answer_that_is_cut_is_of_what_was_done),
		DATABASE_TEST(a_statement_is_found_by_its_name_where_it_runs),
		DATABASE_TEST(a_request_that_is_held_waits_with_its_client),
		DATABASE_TEST(a_held_request_of_a_client_that_is_cut_off_arrives_late),
		DATABASE_TEST(a_held_end_of_a_request_keeps_its_transaction_open),
		DATABASE_TEST(a_commit_of_an_aborted_transaction_says_rollback),
		DATABASE_TEST(a_pipeline_that_is_aborted_fails_at_its_end),
		DATABASE_TEST(chance_is_the_same_for_the_same_seed),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
