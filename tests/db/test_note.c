/* What runs leave for the next run of their job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "db/job.h"
#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* Notes something about one job. Returns how many rows took it, or -1. */
static int note(struct database *d, int64_t id, struct uuid claim_id, const char *checkpoint,
		const char *progress)
{
	struct args_text texts[] = { { checkpoint, checkpoint == NULL ? 0 : strlen(checkpoint) },
				     { progress, progress == NULL ? 0 : strlen(progress) } };
	struct db_call call;
	PGresult *rows;
	int taken;

	job_note_call(&call, &id, &claim_id, &texts[0], &texts[1], 1);
	if (db_run(d->db, &call, 1, &rows, &d->err) != 0)
		return -1;
	taken = rows_count(rows);
	PQclear(rows);
	return taken;
}

static void only_the_latest_claim_notes_anything(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct uuid claim;
	int64_t id;

	fleet_submit(d, "'h'");
	id = fleet_claim_one(d, dispatcher, &claim);
	assert_int_equal(note(d, id, claim, "{\"at\": 1}", NULL), 1);
	assert_int_equal(note(d, id, claim, NULL, "{\"percent\":5}"), 1);
	assert_int_equal(note(d, id, uuid_make(), "{\"at\": 2}", NULL), 0);
	assert_sql(d, "{\"at\": 1}|{\"percent\":5}", "select checkpoint, progress from locum.job");
	assert_int_equal(note(d, id, claim, "{", NULL), -1);
	assert_int_equal(d->err.kind, ERROR_INPUT);
}

static void a_checkpoint_comes_with_the_next_claim(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome end = { .outcome = "retry", .error = "again" };
	const struct fleet_claim again = { .incarnation = dispatcher,
					   .claim_id = uuid_make(),
					   .most = 1 };
	PGresult *rows;

	fleet_submit(d, "'h'");
	end.id = fleet_claim_one(d, dispatcher, &end.claim_id);
	assert_int_equal(note(d, end.id, end.claim_id, "{\"at\": 1}", NULL), 1);
	fleet_complete(d, dispatcher, &end);
	rows = fleet_claim_with(d, &again);
	assert_int_equal(rows_count(rows), 1);
	assert_string_equal(rows_text(rows, 0, PQfnumber(rows, "checkpoint")), "{\"at\": 1}");
	PQclear(rows);
}

/* A run that completes itself holds its row; the pump must not wait for it. */
static void a_note_about_a_locked_job_is_left_out_at_once(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct uuid claim;
	int64_t id;

	fleet_submit(d, "'h'");
	id = fleet_claim_one(d, dispatcher, &claim);
	database_do(d, "begin");
	database_do(d, "select from locum.job for update");
	assert_int_equal(note(d, id, claim, "1", NULL), 0);
	database_do(d, "rollback");
	assert_int_equal(note(d, id, claim, "1", NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(only_the_latest_claim_notes_anything),
		DATABASE_TEST(a_note_about_a_locked_job_is_left_out_at_once),
		DATABASE_TEST(a_checkpoint_comes_with_the_next_claim),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
