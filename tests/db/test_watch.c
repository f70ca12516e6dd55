#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/watch.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

enum { FLEET = LIMIT_SIBLINGS_WATCHED + 10, NOW = 1000000 };

static void fill(struct database *d, struct uuid fleet[static FLEET])
{
	for (int i = 0; i < FLEET; i++)
		fleet[i] = fleet_dispatcher(d);
}

/* The caller frees *siblings. */
static size_t scan(struct database *d, struct watch *watch, struct uuid self, int64_t now_ms,
		   struct sibling **siblings)
{
	struct watch_scan scan = { .self = self, .now_ms = now_ms };

	if (watch_scan(watch, d->db, &scan, &d->err) != 0)
		fail_msg("%s", d->err.text);
	assert_true(scan.server.has_epoch);
	*siblings = scan.siblings;
	return scan.count;
}

static bool has(const struct sibling *siblings, size_t count, struct uuid incarnation)
{
	for (size_t i = 0; i < count; i++)
		if (uuid_same(siblings[i].incarnation, incarnation))
			return true;
	return false;
}

/* Scans twice: the second scan knows how large the fleet is. Returns whether it read the successors alone. */
static bool assert_same_as_whole(struct database *d, struct uuid self)
{
	struct watch watch = { .size = 0 };
	struct sibling *whole;
	struct sibling *seen;
	size_t whole_count = scan(d, &watch, self, NOW, &whole);
	size_t count = scan(d, &watch, self, NOW + 1, &seen);

	assert_int_equal(count, whole_count);
	for (size_t i = 0; i < count; i++)
		assert_true(has(seen, count, whole[i].incarnation));
	free(whole);
	free(seen);
	return watch.whole_due_ms == NOW + WATCH_WHOLE_MS;
}

static void a_large_fleet_is_watched_by_successors_alone(void **state)
{
	struct database *d = *state;
	struct uuid fleet[FLEET];

	fill(d, fleet);
	for (int i = 0; i < FLEET; i++)
		assert_true(assert_same_as_whole(d, fleet[i]));
}

static void whoever_is_silent_is_watched_as_by_a_whole_scan(void **state)
{
	struct database *d = *state;
	struct uuid fleet[FLEET];

	fill(d, fleet);
	for (int share = 2; share <= 20; share *= 3) {
		database_do(d,
			    "update locum.dispatcher_ping set pinged_at = clock_timestamp() - "
			    "case when random() < 1.0 / %d then interval '11 s' else '0 s' end",
			    share);
		for (int i = 0; i < FLEET; i += 3)
			assert_same_as_whole(d, fleet[i]);
	}
}

static void a_small_fleet_is_scanned_whole(void **state)
{
	struct database *d = *state;
	struct uuid self = fleet_dispatcher(d);

	fleet_dispatcher(d);
	assert_false(assert_same_as_whole(d, self));
}

static void who_was_declared_dead_sees_all(void **state)
{
	struct database *d = *state;
	struct watch watch = { .size = 0 };
	struct uuid fleet[FLEET];
	struct sibling *siblings;

	fill(d, fleet);
	assert_int_equal(scan(d, &watch, fleet[0], NOW, &siblings), LIMIT_SUCCESSORS_WATCHED + 1);
	free(siblings);
	fleet_kill(d, fleet[0]);
	assert_int_equal(scan(d, &watch, fleet[0], NOW + 1, &siblings), FLEET - 1);
	free(siblings);
}

static void a_fleet_that_has_shrunk_is_seen_whole_in_time(void **state)
{
	struct database *d = *state;
	struct watch watch = { .size = 0 };
	struct uuid fleet[FLEET];
	struct sibling *siblings;

	fill(d, fleet);
	scan(d, &watch, fleet[0], NOW, &siblings);
	free(siblings);
	for (int i = 1; i <= FLEET - LIMIT_SIBLINGS_WATCHED; i++)
		fleet_kill(d, fleet[i]);
	assert_int_equal(scan(d, &watch, fleet[0], NOW + WATCH_WHOLE_MS, &siblings),
			 LIMIT_SIBLINGS_WATCHED);
	free(siblings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_large_fleet_is_watched_by_successors_alone),
		DATABASE_TEST(whoever_is_silent_is_watched_as_by_a_whole_scan),
		DATABASE_TEST(a_small_fleet_is_scanned_whole),
		DATABASE_TEST(who_was_declared_dead_sees_all),
		DATABASE_TEST(a_fleet_that_has_shrunk_is_seen_whole_in_time),
	};

	return cmocka_run_group_tests_name("watch", tests, database_open, database_close);
}
