#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dispatcher/observer.h"

/* D, S, P and M of these tests, in milliseconds. */
enum { DEATH = 30000, SCAN = 1000, PING = 5000, MARGIN = 3000, SUSPECTS = 64, SIBLINGS = 60 };

/* A fleet that stands still but for what a test moves, and the reaper's view of it. */
struct fleet {
	struct observer *observer;
	struct uuid self;
	struct observer_scan scan;
	struct sibling siblings[SIBLINGS];
	struct observer_suspect suspects[SUSPECTS];
};

static int open_fleet(void **state)
{
	static struct fleet fleet;
	struct observer_settings settings = {
		.scan_interval_ms = SCAN,
		.ping_interval_ms = PING,
		.margin_ms = MARGIN,
	};

	memset(&fleet, 0, sizeof(fleet));
	fleet.self = uuid_make();
	settings.self = fleet.self;
	fleet.observer = observer_open(&settings);
	assert_non_null(fleet.observer);
	for (int i = 0; i < SIBLINGS; i++)
		fleet.siblings[i] = (struct sibling){
			.incarnation = uuid_make(),
			.id = uuid_make(),
			.seq = 40,
			.death_interval_ms = DEATH,
		};
	fleet.scan = (struct observer_scan){
		.siblings = fleet.siblings,
		.count = 1,
		.boot_ms = 1000000,
		.server = { .now_ms = 5000000,
			    .age_ms = 9000000,
			    .has_epoch = true,
			    .epoch = uuid_make(),
			    .epoch_age_ms = 9000000 },
	};
	*state = &fleet;
	return 0;
}

static int close_fleet(void **state)
{
	observer_close(((struct fleet *)*state)->observer);
	return 0;
}

/* Time passes on every clock; no sibling pings. */
static void pass(struct fleet *fleet, int64_t ms)
{
	fleet->scan.boot_ms += ms;
	fleet->scan.server.now_ms += ms;
	fleet->scan.server.age_ms += ms;
	fleet->scan.server.epoch_age_ms += ms;
	for (size_t i = 0; i < fleet->scan.count; i++)
		fleet->siblings[i].age_ms += ms;
}

static void send_ping(struct sibling *sibling)
{
	sibling->seq++;
	sibling->age_ms = 0;
}

/* A scan whose answer comes at once, with a fresh ping of our own. */
static size_t look(struct fleet *fleet)
{
	fleet->scan.seen_boot_ms = fleet->scan.boot_ms;
	if (fleet->scan.ping_ack_boot_ms == 0)
		fleet->scan.ping_ack_boot_ms = fleet->scan.boot_ms;
	return observer_take(fleet->observer, &fleet->scan, fleet->suspects, SUSPECTS);
}

static size_t look_fresh(struct fleet *fleet)
{
	fleet->scan.ping_ack_boot_ms = 0;
	return look(fleet);
}

/* Scans every S for that long without anybody's ping; returns the first suspicion's time, or -1. */
static int64_t silence(struct fleet *fleet, int64_t ms)
{
	for (int64_t passed = 0; passed <= ms; passed += SCAN) {
		if (look_fresh(fleet) > 0)
			return passed;
		pass(fleet, SCAN);
	}
	return -1;
}

static void a_silent_sibling_is_suspect_after_its_death_interval(void **state)
{
	struct fleet *fleet = *state;
	int64_t found;

	fleet->siblings[0].age_ms = 1;
	found = silence(fleet, 2 * DEATH);
	assert_int_equal(found, DEATH);
	assert_true(uuid_same(fleet->suspects[0].incarnation, fleet->siblings[0].incarnation));
	assert_true(uuid_same(fleet->suspects[0].id, fleet->siblings[0].id));
	assert_int_equal(fleet->suspects[0].seq, 40);
	assert_int_equal(fleet->suspects[0].observed_ms, DEATH);
	assert_int_equal(fleet->suspects[0].age_ms, DEATH + 1);
	assert_false(fleet->suspects[0].clock_waived);
}

static void a_sibling_that_pings_is_never_suspect(void **state)
{
	struct fleet *fleet = *state;

	for (int i = 0; i < 200; i++) {
		if (i % 29 == 0)
			send_ping(&fleet->siblings[0]);
		assert_int_equal(look_fresh(fleet), 0);
		pass(fleet, SCAN);
	}
}

static void old_by_the_database_alone_is_not_enough(void **state)
{
	struct fleet *fleet = *state;

	fleet->siblings[0].age_ms = 100 * DEATH;
	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	assert_int_equal(look_fresh(fleet), 1);
}

static void long_seen_by_us_alone_is_not_enough(void **state)
{
	struct fleet *fleet = *state;

	/* The database's clock says that it pinged a little later than we saw. */
	fleet->siblings[0].age_ms = -2000;
	assert_int_equal(silence(fleet, 2 * DEATH), DEATH + 3 * SCAN);
}

static void the_age_must_pass_the_interval_that_the_sibling_wrote(void **state)
{
	struct fleet *fleet = *state;

	fleet->siblings[0].death_interval_ms = 3 * DEATH;
	assert_int_equal(silence(fleet, 4 * DEATH), 3 * DEATH + SCAN);
}

static void a_ping_restarts_the_observation(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	send_ping(&fleet->siblings[0]);
	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
}

static void a_gap_between_scans_restarts_the_observation(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, DEATH - 2 * SCAN), -1);
	pass(fleet, 2 * SCAN + MARGIN);
	assert_int_equal(look_fresh(fleet), 0);
	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
}

static void a_gap_that_is_no_longer_than_allowed_does_not(void **state)
{
	struct fleet *fleet = *state;

	fleet->siblings[0].age_ms = 1;
	assert_int_equal(silence(fleet, DEATH - 6 * SCAN), -1);
	pass(fleet, 2 * SCAN + MARGIN - SCAN);
	assert_int_equal(look_fresh(fleet), 0);
	assert_int_equal(silence(fleet, 2 * SCAN), SCAN);
}

static void a_lost_connection_restarts_the_observation(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	observer_restart(fleet->observer);
	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	assert_int_equal(look_fresh(fleet), 1);
}

static void another_epoch_restarts_the_observation(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	fleet->scan.server.epoch = uuid_make();
	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	assert_int_equal(look_fresh(fleet), 1);
}

static void without_an_epoch_nobody_is_suspect(void **state)
{
	struct fleet *fleet = *state;

	fleet->scan.server.has_epoch = false;
	assert_int_equal(silence(fleet, 3 * DEATH), -1);
}

static void a_young_epoch_protects_everybody(void **state)
{
	struct fleet *fleet = *state;

	fleet->scan.server.epoch_age_ms = -MARGIN;
	assert_int_equal(silence(fleet, 2 * DEATH), DEATH + MARGIN);
}

static void a_young_server_protects_everybody(void **state)
{
	struct fleet *fleet = *state;

	fleet->scan.server.age_ms = -MARGIN;
	assert_int_equal(silence(fleet, 2 * DEATH), DEATH + MARGIN);
}

static void who_does_not_get_its_own_pings_through_accuses_nobody(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	pass(fleet, 2 * SCAN);
	fleet->scan.ping_ack_boot_ms = fleet->scan.boot_ms - 2 * PING;
	assert_int_equal(look(fleet), 0);
}

/* What kept its own pings away may have kept away those of others, which come a little later. */
static void who_gets_its_own_pings_through_again_observes_anew(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	fleet->scan.ping_ack_boot_ms = fleet->scan.boot_ms - 2 * PING;
	assert_int_equal(look(fleet), 0);
	pass(fleet, SCAN);
	assert_int_equal(silence(fleet, 2 * DEATH), DEATH - SCAN);
}

static void an_own_ping_that_is_late_is_no_break(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	pass(fleet, SCAN);
	fleet->scan.ping_ack_boot_ms = fleet->scan.boot_ms - 2 * PING + 1;
	assert_int_equal(look(fleet), 1);
}

static void this_dispatcher_never_suspects_itself(void **state)
{
	struct fleet *fleet = *state;

	fleet->siblings[0].incarnation = fleet->self;
	assert_int_equal(silence(fleet, 3 * DEATH), -1);
}

/* The database's clock jumps forward: everybody looks old, nobody dies early, and the dead are found. */
static void a_forward_jump_of_the_clock_kills_nobody_who_pings(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, 5 * SCAN), -1);
	fleet->scan.server.now_ms += 1000 * DEATH;
	fleet->siblings[0].age_ms += 1000 * DEATH;
	assert_int_equal(silence(fleet, DEATH - 7 * SCAN), -1);
	assert_int_equal(look_fresh(fleet), 1);
	assert_true(fleet->suspects[0].clock_waived);
}

/* It jumps back: a dead sibling looks young for a year, and is found in time all the same. */
static void a_backward_jump_of_the_clock_saves_nobody_who_is_dead(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, 5 * SCAN), -1);
	fleet->scan.server.now_ms -= 1000 * DEATH;
	fleet->scan.server.age_ms -= 1000 * DEATH; /* it seems to start in the future */
	fleet->scan.server.epoch_age_ms -= 1000 * DEATH;
	fleet->siblings[0].age_ms -= 1000 * DEATH;
	assert_int_equal(silence(fleet, DEATH - 7 * SCAN), -1);
	assert_int_equal(look_fresh(fleet), 1);
	assert_true(fleet->suspects[0].clock_waived);
}

/* It went back between the last ping and our first look at it: the watch alone decides. */
static void a_ping_from_the_future_saves_nobody_who_is_dead(void **state)
{
	struct fleet *fleet = *state;

	fleet->siblings[0].age_ms = -1000 * DEATH;
	fleet->scan.server.age_ms = -1000 * DEATH;
	fleet->scan.server.epoch_age_ms = -1000 * DEATH;
	assert_int_equal(silence(fleet, 2 * DEATH), DEATH);
	assert_true(fleet->suspects[0].clock_waived);
}

static void a_clock_that_moves_less_than_the_margin_is_believed(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, 5 * SCAN), -1);
	fleet->scan.server.now_ms -= MARGIN;
	fleet->siblings[0].age_ms -= MARGIN;
	assert_int_equal(silence(fleet, DEATH), DEATH - 6 * SCAN + MARGIN + SCAN);
	assert_false(fleet->suspects[0].clock_waived);
}

/* The ping was read after the scan was sent: only from the answer on is the silence ours to count. */
static void the_observation_begins_when_the_answer_is_there(void **state)
{
	struct fleet *fleet = *state;

	fleet->siblings[0].age_ms = 1;
	fleet->scan.ping_ack_boot_ms = fleet->scan.boot_ms;
	fleet->scan.seen_boot_ms = fleet->scan.boot_ms + 900;
	assert_int_equal(observer_take(fleet->observer, &fleet->scan, fleet->suspects, SUSPECTS),
			 0);
	pass(fleet, SCAN);
	assert_int_equal(silence(fleet, DEATH), DEATH);
	assert_int_equal(fleet->suspects[0].observed_ms, DEATH + SCAN - 900);
}

static void of_many_siblings_the_silent_are_found_and_no_others(void **state)
{
	struct fleet *fleet = *state;
	size_t found = 0;

	fleet->scan.count = SIBLINGS;
	for (int i = 0; i <= DEATH / SCAN; i++) {
		for (int k = 0; k < SIBLINGS; k++)
			if (k % 3 != 0)
				send_ping(&fleet->siblings[k]);
		found = look_fresh(fleet);
		pass(fleet, SCAN);
	}
	for (int k = 0; k < SIBLINGS; k++)
		if (k % 3 != 0)
			send_ping(&fleet->siblings[k]);
	found = look_fresh(fleet);
	assert_int_equal(found, SIBLINGS / 3);
	for (size_t i = 0; i < found; i++)
		assert_true(uuid_same(fleet->suspects[i].incarnation,
				      fleet->siblings[3 * i].incarnation));
}

static void no_more_suspects_are_written_than_there_is_room_for(void **state)
{
	struct fleet *fleet = *state;

	fleet->scan.count = SIBLINGS;
	for (int i = 0; i <= DEATH / SCAN; i++) {
		look_fresh(fleet);
		pass(fleet, SCAN);
	}
	fleet->scan.ping_ack_boot_ms = fleet->scan.boot_ms;
	fleet->scan.seen_boot_ms = fleet->scan.boot_ms;
	assert_int_equal(observer_take(fleet->observer, &fleet->scan, fleet->suspects, 2), 2);
}

static void who_left_and_came_back_is_observed_anew(void **state)
{
	struct fleet *fleet = *state;

	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
	fleet->scan.count = 0;
	assert_int_equal(look_fresh(fleet), 0);
	pass(fleet, SCAN);
	fleet->scan.count = 1;
	assert_int_equal(silence(fleet, DEATH - SCAN), -1);
}

/* Whatever the phase between its last ping and the scans, death is found within D + 2S. */
static void a_death_is_found_within_the_bound_whatever_the_phase(void **state)
{
	struct fleet *fleet = *state;

	for (int64_t phase = 0; phase < SCAN; phase += 37) {
		int64_t died_ms;

		for (int i = 0; i < 3; i++) {
			send_ping(&fleet->siblings[0]);
			assert_int_equal(look_fresh(fleet), 0);
			pass(fleet, SCAN);
		}
		pass(fleet, phase - SCAN);
		send_ping(&fleet->siblings[0]);
		died_ms = fleet->scan.boot_ms;
		pass(fleet, SCAN - phase);
		while (look_fresh(fleet) == 0)
			pass(fleet, SCAN);
		assert_in_range(fleet->scan.boot_ms - died_ms, DEATH, DEATH + 2 * SCAN);
	}
}

static void the_evidence_is_an_object_of_what_was_measured(void **state)
{
	struct observer_suspect suspect = {
		.seq = 7, .age_ms = 31000, .observed_ms = 30500, .death_interval_ms = 30000
	};
	char text[512];

	(void)state;
	observer_write_evidence(&suspect, text, sizeof(text));
	assert_string_equal(text, "{\"seq\": 7, \"silent_by_database_ms\": 31000, "
				  "\"silent_by_observer_ms\": 30500, \"death_interval_ms\": 30000, "
				  "\"database_clock_moved\": false}");
}

#define FLEET_TEST(test) cmocka_unit_test_setup_teardown(test, open_fleet, close_fleet)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLEET_TEST(a_silent_sibling_is_suspect_after_its_death_interval),
		FLEET_TEST(a_sibling_that_pings_is_never_suspect),
		FLEET_TEST(old_by_the_database_alone_is_not_enough),
		FLEET_TEST(long_seen_by_us_alone_is_not_enough),
		FLEET_TEST(the_age_must_pass_the_interval_that_the_sibling_wrote),
		FLEET_TEST(a_ping_restarts_the_observation),
		FLEET_TEST(a_gap_between_scans_restarts_the_observation),
		FLEET_TEST(a_gap_that_is_no_longer_than_allowed_does_not),
		FLEET_TEST(a_lost_connection_restarts_the_observation),
		FLEET_TEST(another_epoch_restarts_the_observation),
		FLEET_TEST(without_an_epoch_nobody_is_suspect),
		FLEET_TEST(a_young_epoch_protects_everybody),
		FLEET_TEST(a_young_server_protects_everybody),
		FLEET_TEST(who_does_not_get_its_own_pings_through_accuses_nobody),
		FLEET_TEST(who_gets_its_own_pings_through_again_observes_anew),
		FLEET_TEST(an_own_ping_that_is_late_is_no_break),
		FLEET_TEST(this_dispatcher_never_suspects_itself),
		FLEET_TEST(a_forward_jump_of_the_clock_kills_nobody_who_pings),
		FLEET_TEST(a_backward_jump_of_the_clock_saves_nobody_who_is_dead),
		FLEET_TEST(a_ping_from_the_future_saves_nobody_who_is_dead),
		FLEET_TEST(a_clock_that_moves_less_than_the_margin_is_believed),
		FLEET_TEST(the_observation_begins_when_the_answer_is_there),
		FLEET_TEST(of_many_siblings_the_silent_are_found_and_no_others),
		FLEET_TEST(no_more_suspects_are_written_than_there_is_room_for),
		FLEET_TEST(who_left_and_came_back_is_observed_anew),
		FLEET_TEST(a_death_is_found_within_the_bound_whatever_the_phase),
		cmocka_unit_test(the_evidence_is_an_object_of_what_was_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
