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

/* A dispatcher that holds job 1. */
struct scene {
	struct uuid dispatcher;
	struct fleet_outcome end;
};

static struct scene claimed(struct database *d, const char *options)
{
	struct scene scene = { .dispatcher = fleet_dispatcher(d) };

	fleet_submit(d, "%s", options);
	scene.end.id = fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	scene.end.delay_ms = -1;
	assert_int_equal(scene.end.id, 1);
	return scene;
}

static const char *ends(struct database *d, struct scene *scene, const char *outcome)
{
	scene->end.outcome = outcome;
	return fleet_complete(d, scene->dispatcher, &scene->end);
}

static void assert_pause(struct database *d, int64_t least_ms, int64_t most_ms)
{
	int64_t pause_ms = database_int(d, "select round(extract(epoch from run_at - "
					   "(history -> -1 ->> 'ended_at')::timestamptz) * 1000) "
					   "from locum.job where id = 1");

	assert_in_range(pause_ms, least_ms, most_ms);
}

/* Fails the job so often, and holds each pause against `first`, `factor` times longer each time. */
static void assert_pauses(struct database *d, const char *options, int64_t first_ms, int factor,
			  int step, int times)
{
	struct scene scene = claimed(d, options);
	int64_t pause_ms = first_ms;

	for (int i = 0; i < times; i++) {
		assert_string_equal(ends(d, &scene, "retry"), "scheduled");
		assert_pause(d, pause_ms * 3 / 4 - 1, pause_ms * 5 / 4 + 1);
		pause_ms = pause_ms * factor + step;
		database_do(d, "update locum.job set state = 'pending', lane = 0");
		fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	}
}

static void pauses_double_from_a_second_by_default(void **state)
{
	assert_pauses(*state, "'h'", LIMIT_RETRY_BASE_MS, 2, 0, 6);
}

static void exponential_pauses_double_from_the_first(void **state)
{
	assert_pauses(*state, "'h', retry_delay => '20 s', retry_backoff => 'exponential'", 20000,
		      2, 0, 4);
}

static void linear_pauses_grow_by_the_first(void **state)
{
	assert_pauses(*state, "'h', retry_delay => '20 s', retry_backoff => 'linear'", 20000, 1,
		      20000, 4);
}

static void fixed_pauses_stay_the_same(void **state)
{
	assert_pauses(*state, "'h', retry_delay => '20 s', retry_backoff => 'fixed'", 20000, 1, 0,
		      4);
}

static void every_pause_is_within_its_jitter_and_its_cap(void **state)
{
	struct database *d = *state;

	/* The bounds of 2000 draws for each attempt, delay, cap and way to grow. */
	assert_sql(
		d, "",
		"with policy (attempt, delay_ms, cap_ms, backoff) as ("
		"	select * from unnest('{1, 2, 5, 12, 13, 64, 65, 1000, 32767}'::int[]) as a, "
		"		unnest('{null, 0, 7, 1000, 3153600000000}'::bigint[]) as b, "
		"		unnest('{null, 0, 5000, 3153600000000}'::bigint[]) as c, "
		"		unnest('{null, exponential, linear, fixed}'::locum.retry_backoff[]) as d"
		"), bound as ("
		"	select *, least(coalesce(cap_ms, greatest(delay_ms, %d)), coalesce(delay_ms, %d) "
		"		* case backoff when 'linear' then attempt when 'fixed' then 1 "
		"		else power(2::numeric, least(attempt - 1, 60)) end) as base, "
		"		coalesce(cap_ms, greatest(delay_ms, %d)) as most from policy"
		"), drawn as ("
		"	select attempt, delay_ms, cap_ms, backoff, base, most, min(pause), max(pause) "
		"	from bound cross join lateral (select locum.retry_pause_ms(attempt, delay_ms, "
		"		cap_ms, backoff) as pause from generate_series(1, 200)) as draw "
		"	group by 1, 2, 3, 4, 5, 6"
		") select * from drawn where min < floor(base * 0.75) "
		"or max > ceil(least(most, base * 1.25)) or (base > 100 and max - min < base / 8)",
		LIMIT_RETRY_CAP_MS, LIMIT_RETRY_BASE_MS, LIMIT_RETRY_CAP_MS);
}

static void no_delay_is_no_pause(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h', retry_delay => '0'");

	assert_string_equal(ends(d, &scene, "retry"), "pending");
	assert_sql(d, "0|1", "select lane, attempt from locum.job");
}

static void what_the_run_asked_for_goes_before_the_policy(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h', retry_delay => '1 day'");

	scene.end.delay_ms = 5000;
	assert_string_equal(ends(d, &scene, "retry"), "scheduled");
	assert_pause(d, 4900, 5100);
	database_do(d, "update locum.job set state = 'pending', lane = 0");
	fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	scene.end.delay_ms = 0;
	assert_string_equal(ends(d, &scene, "retry"), "pending");
}

static void what_is_released_does_not_pause(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h', retry_delay => '1 day', run_at => '2001-02-03Z'");

	assert_string_equal(ends(d, &scene, "release"), "pending");
	assert_sql(d, "t", "select run_at = '2001-02-03Z' from locum.job");
}

static void a_finished_and_a_retried_job_keep_the_policy(void **state)
{
	static const char POLICY[] =
		"select retry_delay, retry_cap, retry_backoff from locum.jobs order by id desc limit 1";
	struct database *d = *state;
	struct scene scene = claimed(d, "'h', retry_delay => '5 s', retry_cap => '1 min', "
					"retry_backoff => 'linear'");

	assert_sql(d, "00:00:05|00:01:00|linear", POLICY);
	ends(d, &scene, "failed");
	assert_sql(d, "00:00:05|00:01:00|linear", POLICY);
	database_do(d, "select locum.retry(1)");
	assert_sql(d, "2", "select id from locum.job");
	assert_sql(d, "00:00:05|00:01:00|linear", POLICY);
	fleet_submit(d, "'h'");
	assert_sql(d, "00:00:01|01:00:00|exponential", POLICY);
}

static void a_retried_job_keeps_all_its_options(void **state)
{
	static const char OPTIONS[] =
		"select handler, payload, queue, priority, key, max_attempts, timeout, "
		"expires_at - created_at, on_interrupt, traceparent, labels, follows, \"then\" "
		"from locum.jobs order by id desc limit 1";
	struct database *d = *state;
	struct scene scene = claimed(d,
				     "'h', '[1]', priority => 2, key => 'k', max_attempts => 3, "
				     "timeout => '4 s', expires => '1 h', on_interrupt => 'hold', "
				     "traceparent => 't', labels => '{\"a\": \"b\"}', "
				     "\"then\" => '{\"always\": \"n\"}'");
	char before[1024];

	ends(d, &scene, "failed");
	database_do(d, "delete from locum.job");
	snprintf(before, sizeof(before), "%s", database_text(d, OPTIONS));
	assert_sql(d, "3", "select locum.retry(1)");
	assert_sql(d, before, OPTIONS);
	assert_sql(d, "1|pending", "select retry_of, state from locum.job");
}

static void a_bad_policy_is_refused(void **state)
{
	static const char *const BAD[][2] = {
		{ "retry_delay => '-1 s'",
		  "22023 retry_delay must not be negative, not -00:00:01" },
		{ "retry_cap => '-1 s'", "22023 retry_cap must not be negative, not -00:00:01" },
		{ "retry_delay => '40000 days'",
		  "22023 retry_delay must be at most 36500 days, not 40000 days" },
		{ "retry_cap => '40000 days'",
		  "22023 retry_cap must be at most 36500 days, not 40000 days" },
		{ "retry_backoff => 'cubic'",
		  "22023 retry_backoff must be exponential, linear or fixed, not 'cubic'" },
	};
	static const char *const LINES[][2] = {
		{ "\"retry_delay\": \"-1 s\"",
		  "22023 retry_delay must not be negative, not -00:00:01|1" },
		{ "\"retry_cap\": \"40000 days\"",
		  "22023 retry_cap must be at most 36500 days, not 40000 days|1" },
		{ "\"retry_backoff\": \"cubic\"",
		  "22023 retry_backoff must be exponential, linear or fixed, not 'cubic'|1" },
	};
	struct database *d = *state;

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		assert_refused(d, BAD[i][1], "select locum.submit('h', %s)", BAD[i][0]);
	for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++)
		assert_refused(
			d, LINES[i][1],
			"select locum.submit_many(array['{\"handler\": \"h\", %s}']::json[])",
			LINES[i][0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(pauses_double_from_a_second_by_default),
		DATABASE_TEST(exponential_pauses_double_from_the_first),
		DATABASE_TEST(linear_pauses_grow_by_the_first),
		DATABASE_TEST(fixed_pauses_stay_the_same),
		DATABASE_TEST(every_pause_is_within_its_jitter_and_its_cap),
		DATABASE_TEST(no_delay_is_no_pause),
		DATABASE_TEST(what_the_run_asked_for_goes_before_the_policy),
		DATABASE_TEST(what_is_released_does_not_pause),
		DATABASE_TEST(a_finished_and_a_retried_job_keep_the_policy),
		DATABASE_TEST(a_retried_job_keeps_all_its_options),
		DATABASE_TEST(a_bad_policy_is_refused),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
