#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

static void one_by_one(struct database *d, struct uuid dispatcher, const int64_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fleet_claim_one(d, dispatcher, NULL), ids[i]);
	assert_int_equal(fleet_claim_one(d, dispatcher, NULL), 0);
}

static void the_order_is_priority_then_requeued_then_age(void **state)
{
	struct database *d = *state;
	int64_t late = fleet_submit(d, "'h', priority => 9");
	int64_t first = fleet_submit(d, "'h'");
	int64_t second = fleet_submit(d, "'h'");
	int64_t due = fleet_submit(d, "'h', run_at => now() - interval '1 s'");
	int64_t urgent = fleet_submit(d, "'h', priority => 0");
	struct uuid dispatcher = fleet_dispatcher(d);

	one_by_one(d, dispatcher, (const int64_t[]){ urgent, due, first, second, late }, 5);
}

static void a_batch_takes_the_head_and_not_more_than_the_limit(void **state)
{
	struct database *d = *state;
	struct uuid claim_id;

	database_do(d,
		    "select locum.submit('h', priority => 9 - n) from generate_series(0, 9) as n");
	assert_int_equal(fleet_claim(d, fleet_dispatcher(d), 4, &claim_id), 4);
	assert_sql(d, "0,1,2,3|4|1|1",
		   "select string_agg(priority::text, ',' order by priority), count(*), "
		   "count(distinct claim_id), count(distinct incarnation) "
		   "from locum.job where state = 'assigned'");
	assert_int_equal(fleet_claim(d, fleet_dispatcher(d), 100, NULL), 6);
}

static void queues_take_turns_as_the_ranges_say(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_claim claim = { .incarnation = dispatcher,
				     .claim_id = uuid_make(),
				     .most = 10 };
	PGresult *result;

	fleet_submit(d, "'h'");
	fleet_submit(d, "'h', queue => 'mail'");
	claim.queue_id = (int)database_int(d, "select id from locum.queue where name = 'mail'");
	result = fleet_claim_with(d, &claim);
	assert_int_equal(rows_count(result), 1);
	assert_int_equal(rows_int(result, 0, PQfnumber(result, "queue_id")), claim.queue_id);
	PQclear(result);
	assert_sql(d, "1|pending\n2|assigned", "select id, state from locum.job order by id");
}

static void only_the_named_handlers_are_taken(void **state)
{
	static const char *const HANDLERS[] = { "g", "i" };
	struct database *d = *state;
	struct fleet_claim claim = {
		.incarnation = fleet_dispatcher(d),
		.claim_id = uuid_make(),
		.handlers = HANDLERS,
		.handler_count = 2,
		.most = 10,
	};

	database_do(d, "select locum.submit(h) from unnest('{f,g,h,i,gg}'::text[]) as h");
	PQclear(fleet_claim_with(d, &claim));
	assert_sql(d, "g,i",
		   "select string_agg(handler, ',' order by id) from locum.job "
		   "where claim_id is not null");
}

static void nothing_below_the_cursor_is_looked_at(void **state)
{
	struct database *d = *state;
	struct fleet_claim claim = {
		.incarnation = fleet_dispatcher(d),
		.claim_id = uuid_make(),
		.cursor = 3,
		.most = 10,
	};

	database_do(d, "select locum.submit('h') from generate_series(1, 5)");
	PQclear(fleet_claim_with(d, &claim));
	assert_sql(d, "3,4,5",
		   "select string_agg(id::text, ',' order by id) from locum.job "
		   "where claim_id is not null");
}

static void an_expired_job_is_not_claimed(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', expires => '0 s'");
	fleet_submit(d, "'h', expires => '1 h'");
	assert_int_equal(fleet_claim_one(d, fleet_dispatcher(d), NULL), 2);
	assert_int_equal(fleet_claim_one(d, fleet_dispatcher(d), NULL), 0);
}

static void a_job_that_is_not_due_is_not_claimed(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', delay => '1 h'");
	assert_int_equal(fleet_claim(d, fleet_dispatcher(d), 10, NULL), 0);
}

static void rows_that_somebody_holds_are_skipped(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);

	database_do(d, "select locum.submit('h') from generate_series(1, 3)");
	database_do(d, "begin; select from locum.job where id = 1 for update");
	assert_int_equal(fleet_claim_one(d, dispatcher, NULL), 2);
	database_do(d, "rollback");
	assert_int_equal(fleet_claim_one(d, dispatcher, NULL), 1);
}

static void only_a_running_dispatcher_claims(void **state)
{
	static const char *const STATES[] = { "draining", "stopped", "dead" };
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);

	fleet_submit(d, "'h'");
	for (size_t i = 0; i < 3; i++) {
		database_do(d, "update locum.dispatcher set state = '%s'", STATES[i]);
		assert_int_equal(fleet_claim(d, dispatcher, 1, NULL), 0);
	}
	assert_int_equal(fleet_claim(d, uuid_make(), 1, NULL), 0);
	assert_sql(d, "pending|0|-|-",
		   "select state, claim_seq, claim_id, incarnation from locum.job");
}

static void a_claim_is_written_whole(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct uuid claim_id;
	char text[2][UUID_TEXT_SIZE];

	fleet_submit(d, "'h'");
	database_do(d, "update locum.job set claim_seq = 41");
	fleet_claim_one(d, dispatcher, &claim_id);
	assert_int_equal(
		database_int(d,
			     "select count(*) from locum.job where state = 'assigned' "
			     "and claim_seq = 42 and claim_id = '%s' and incarnation = '%s' "
			     "and claimed_at <= clock_timestamp() and started_at is null "
			     "and lane = -2",
			     uuid_text(claim_id, text[0]), uuid_text(dispatcher, text[1])),
		1);
}

static void a_claim_tells_what_a_start_needs(void **state)
{
	struct database *d = *state;
	struct fleet_claim claim = {
		.incarnation = fleet_dispatcher(d),
		.claim_id = uuid_make(),
		.most = 1,
	};
	PGresult *r;

	fleet_submit(d,
		     "'h', '{\"a\": 1e400}', priority => 3, max_attempts => 7, timeout => '90 s', "
		     "on_interrupt => 'hold', traceparent => '00-ab-cd-01'");
	r = fleet_claim_with(d, &claim);
	assert_int_equal(rows_int(r, 0, PQfnumber(r, "priority")), 3);
	assert_int_equal(rows_int(r, 0, PQfnumber(r, "lane")), 1);
	assert_string_equal(rows_text(r, 0, PQfnumber(r, "handler")), "h");
	assert_int_equal(rows_int(r, 0, PQfnumber(r, "attempt")), 0);
	assert_int_equal(rows_int(r, 0, PQfnumber(r, "max_attempts")), 7);
	assert_int_equal(rows_int(r, 0, PQfnumber(r, "claim_seq")), 1);
	assert_int_equal(rows_int(r, 0, PQfnumber(r, "interruptions")), 0);
	assert_int_equal(rows_int(r, 0, PQfnumber(r, "recoveries")), 0);
	assert_string_equal(rows_text(r, 0, PQfnumber(r, "on_interrupt")), "hold");
	assert_int_equal(rows_int(r, 0, PQfnumber(r, "timeout_ms")), 90000);
	assert_string_equal(rows_text(r, 0, PQfnumber(r, "payload")), "{\"a\": 1e400}");
	assert_string_equal(rows_text(r, 0, PQfnumber(r, "traceparent")), "00-ab-cd-01");
	PQclear(r);
}

static void a_payload_comes_with_the_claim_up_to_the_limit(void **state)
{
	struct database *d = *state;
	struct fleet_claim claim = {
		.incarnation = fleet_dispatcher(d),
		.claim_id = uuid_make(),
		.most = 2,
	};
	PGresult *result;
	int payload;

	for (int extra = 0; extra < 2; extra++)
		fleet_submit(d, "'h', to_json(repeat('x', %d - 2))",
			     LIMIT_PAYLOAD_INLINE_BYTES + extra);
	result = fleet_claim_with(d, &claim);
	payload = PQfnumber(result, "payload");
	for (int row = 0; row < 2; row++) {
		bool large = rows_int(result, row, PQfnumber(result, "id")) == 2;

		assert_int_equal(rows_is_null(result, row, payload), large);
		assert_int_equal(rows_length(result, row, payload),
				 large ? 0 : LIMIT_PAYLOAD_INLINE_BYTES);
	}
	PQclear(result);
}

static int64_t fetch_payload(struct database *d, int64_t id, struct uuid claim_id)
{
	struct args args;
	PGresult *result;
	int64_t length;

	args_init(&args);
	args_int8_array(&args, &id, 1);
	args_uuid_array(&args, &claim_id, 1);
	result = database_call(d, "job_payload", &args);
	length = rows_count(result) == 0 ? -1 : (int64_t)rows_length(result, 0, 1);
	PQclear(result);
	return length;
}

static void a_large_payload_is_fetched_with_the_claim_and_not_without(void **state)
{
	struct database *d = *state;
	struct uuid claim_id;
	int64_t id = fleet_submit(d, "'h', to_json(repeat('x', %d))", LIMIT_PAYLOAD_BYTES - 2);

	fleet_claim_one(d, fleet_dispatcher(d), &claim_id);
	assert_int_equal(fetch_payload(d, id, claim_id), LIMIT_PAYLOAD_BYTES);
	assert_int_equal(fetch_payload(d, id, uuid_make()), -1);
}

static void no_job_is_claimed_twice(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);

	database_do(d, "select locum.submit('h') from generate_series(1, 50)");
	assert_int_equal(fleet_claim(d, dispatcher, 30, NULL), 30);
	assert_int_equal(fleet_claim(d, dispatcher, 30, NULL), 20);
	assert_int_equal(fleet_claim(d, dispatcher, 30, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(the_order_is_priority_then_requeued_then_age),
		DATABASE_TEST(a_batch_takes_the_head_and_not_more_than_the_limit),
		DATABASE_TEST(queues_take_turns_as_the_ranges_say),
		DATABASE_TEST(only_the_named_handlers_are_taken),
		DATABASE_TEST(nothing_below_the_cursor_is_looked_at),
		DATABASE_TEST(an_expired_job_is_not_claimed),
		DATABASE_TEST(a_job_that_is_not_due_is_not_claimed),
		DATABASE_TEST(rows_that_somebody_holds_are_skipped),
		DATABASE_TEST(only_a_running_dispatcher_claims),
		DATABASE_TEST(a_claim_is_written_whole),
		DATABASE_TEST(a_claim_tells_what_a_start_needs),
		DATABASE_TEST(a_payload_comes_with_the_claim_up_to_the_limit),
		DATABASE_TEST(a_large_payload_is_fetched_with_the_claim_and_not_without),
		DATABASE_TEST(no_job_is_claimed_twice),
	};

	return cmocka_run_group_tests_name("claim", tests, database_open, database_close);
}
