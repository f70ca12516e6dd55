#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

static void labels_are_stored_as_texts(void **state)
{
	struct database *d = *state;

	fleet_submit(
		d, "'h', labels => '{\"team\": \"ops\", \"n\": 1.50, \"new\": true, \"e\": \"\"}'");
	assert_sql(d, "{\"e\": \"\", \"n\": \"1.50\", \"new\": \"true\", \"team\": \"ops\"}",
		   "select labels from locum.jobs");
}

static void no_label_is_stored_as_none(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', labels => '{}'");
	fleet_submit(d, "'h', labels => 'null'");
	fleet_submit(d, "'h'");
	assert_sql(d, "3", "select count(*) from locum.job where labels is null");
}

static void submit_many_stores_labels(void **state)
{
	struct database *d = *state;

	database_do(d, "select locum.submit_many(array['{\"handler\": \"h\", \"labels\": "
		       "{\"a\": 1}}', '{\"handler\": \"h\"}']::json[])");
	assert_sql(d, "{\"a\": \"1\"}\n-", "select labels from locum.job order by id");
}

static void labels_outlive_the_job(void **state)
{
	struct database *d = *state;
	struct fleet_outcome end = { .outcome = "completed" };
	struct uuid dispatcher = fleet_dispatcher(d);

	fleet_submit(d, "'h', labels => '{\"a\": \"b\"}', submitted_by => 'ann'");
	end.id = fleet_claim_one(d, dispatcher, &end.claim_id);
	fleet_complete(d, dispatcher, &end);
	assert_sql(d, "completed|ann",
		   "select state, submitted_by from locum.jobs where labels @> '{\"a\": \"b\"}'");
}

/* In both tables, and through the view. */
static void a_label_is_found_by_an_index(void **state)
{
	struct database *d = *state;

	database_do(d, "set enable_seqscan = off");
	database_text(d, "explain select from locum.jobs where labels @> '{\"a\": \"b\"}'");
	assert_non_null(strstr(d->text, "Bitmap Index Scan on job_labels"));
	assert_non_null(strstr(d->text, "_labels_idx"));
}

static void the_limits_themselves_are_accepted(void **state)
{
	struct database *d = *state;

	fleet_submit(d,
		     "'h', labels => (select json_object_agg(lpad(n::text, %d, 'x'), "
		     "repeat('v', %d)) from generate_series(1, %d) as n)",
		     LIMIT_NAME_BYTES, LIMIT_LABEL_BYTES, LIMIT_LABELS);
	assert_int_equal(
		database_int(d, "select count(*) from locum.job, jsonb_object_keys(labels)"),
		LIMIT_LABELS);
}

static void wrong_labels_are_refused(void **state)
{
	static const char *const BAD[][2] = {
		{ "'[]'", "22023 the labels must be a JSON object, not array" },
		{ "'\"a\"'", "22023 the labels must be a JSON object, not string" },
		{ "'{\"a\": null}'", "22023 the label a must be a text, not null" },
		{ "'{\"a\": {}}'", "22023 the label a must be a text, not object" },
		{ "'{\"\": \"b\"}'", "22023 the label has no name" },
		{ "'{\"a\\nb\": \"b\"}'",
		  "22023 the name of the label contains a control character" },
		{ "json_build_object(repeat('é', 32), 'b')",
		  "22023 the name of the label has 64 bytes; at most 63 are allowed" },
		{ "json_build_object('a', repeat('b', 257))",
		  "22023 the label a has 257 bytes; at most 256 are allowed" },
		{ "'{\"a\": \"b\", \"a\": \"c\"}'", "22023 \"a\" is given twice" },
		{ "(select json_object_agg(n, n) from generate_series(1, 33) as n)",
		  "22023 there are more than 32 labels" },
	};
	struct database *d = *state;

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		char many[256];

		assert_refused(d, BAD[i][1], "select locum.submit('h', labels => %s)", BAD[i][0]);
		snprintf(many, sizeof(many), "%s|1", BAD[i][1]);
		assert_refused(d, many,
			       "select locum.submit_many(array[json_build_object('handler', 'h', "
			       "'labels', (%s)::json)])",
			       BAD[i][0]);
	}
	assert_sql(d, "0", "select count(*) from locum.job");
}

static void a_wrong_submitter_is_refused(void **state)
{
	struct database *d = *state;

	assert_refused(d, "22023 submitted_by has 0 bytes; 1 to 255 are allowed",
		       "select locum.submit('h', submitted_by => '')");
	assert_refused(d, "22023 submitted_by has 256 bytes; 1 to 255 are allowed",
		       "select locum.submit('h', submitted_by => repeat('a', 256))");
	assert_refused(d, "22023 submitted_by has 256 bytes; 1 to 255 are allowed|2",
		       "select locum.submit_many(array['{\"handler\": \"h\"}', json_build_object("
		       "'handler', 'h', 'submitted_by', repeat('a', 256))]::json[])");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(labels_are_stored_as_texts),
		DATABASE_TEST(no_label_is_stored_as_none),
		DATABASE_TEST(submit_many_stores_labels),
		DATABASE_TEST(labels_outlive_the_job),
		DATABASE_TEST(a_label_is_found_by_an_index),
		DATABASE_TEST(the_limits_themselves_are_accepted),
		DATABASE_TEST(wrong_labels_are_refused),
		DATABASE_TEST(a_wrong_submitter_is_refused),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
