/* The fault proxy before a real server: what it does to whole connections, as the client and the server see it. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/detour_scene.h"

enum { LARGE = 3 * 1024 * 1024 };

/* --- passing ------------------------------------------------------------------------------------ */

static void what_is_large_passes_unchanged_both_ways(void **state)
{
	struct detour_scene scene;
	char *text = malloc(LARGE + 1);
	const char *values[] = { text };
	PGconn *both[2];

	detour_scene_open(&scene, *state);
	for (int i = 0; i < LARGE; i++)
		text[i] = (char)('a' + i % 26);
	text[LARGE] = '\0';
	both[0] = scene.conn;
	both[1] = detour_scene_connect(&scene, "victim/two", true);
	for (int i = 0; i < 2; i++) {
		PGresult *result = PQexecParams(both[i], "select $1::text", 1, NULL, values, NULL,
						NULL, 0);

		assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
		assert_string_equal(PQgetvalue(result, 0, 0), text);
		PQclear(result);
	}
	free(text);
	PQfinish(both[1]);
	detour_scene_close(&scene);
}

static int64_t resident_kib(void)
{
	char line[128];
	long long kib = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file != NULL && kib == 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtoll(line + 6, NULL, 10);
	fclose(file);
	return kib;
}

static void a_client_that_does_not_read_holds_up_the_server_and_fills_no_memory(void **state)
{
	struct detour_scene scene;
	int64_t before_kib = resident_kib();

	detour_scene_open(&scene, *state);
	assert_int_equal(
		PQsendQuery(scene.conn, "select repeat('x', 1000) from generate_series(1, 100000)"),
		1);
	detour_scene_await(
		&scene,
		"select count(*) = 1 from pg_stat_activity where wait_event = 'ClientWrite' "
		"and application_name like 'victim%%'");
	assert_true(resident_kib() - before_kib < 16 * 1024);
	detour_scene_close(&scene);
	detour_scene_await(&scene, DETOUR_SCENE_GONE);
}

static void a_cancel_request_passes(void **state)
{
	struct detour_scene scene;
	PGcancel *cancel;
	char text[256];
	PGresult *result;

	detour_scene_open(&scene, *state);
	cancel = PQgetCancel(scene.conn);
	PQsendQuery(scene.conn, "select pg_sleep(60)");
	detour_scene_await(&scene,
			   "select count(*) = 1 from pg_stat_activity where wait_event = 'PgSleep' "
			   "and application_name like 'victim%%'");
	assert_int_equal(PQcancel(cancel, text, sizeof(text)), 1);
	result = PQgetResult(scene.conn);
	assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "57014");
	PQclear(result);
	PQfreeCancel(cancel);
	detour_scene_close(&scene);
}

/* --- slow --------------------------------------------------------------------------------------- */

/* The quickest of some answers: who is delayed has none that is quick, however busy the machine is. */
static int64_t quickest_ms(PGconn *conn)
{
	int64_t quickest = INT64_MAX;

	for (int i = 0; i < 20; i++) {
		int64_t began_ms = clock_monotonic_ms();
		int64_t took_ms;

		assert_string_equal(detour_scene_ask(conn, "select 1"), "1");
		took_ms = clock_monotonic_ms() - began_ms;
		if (took_ms < quickest)
			quickest = took_ms;
	}
	return quickest;
}

static void delay_is_added_both_ways_to_those_it_is_meant_for(void **state)
{
	struct detour_scene scene;
	PGconn *other;
	int64_t began_ms;

	detour_scene_open(&scene, *state);
	other = detour_scene_connect(&scene, "other", false);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_DELAY,
							.client = "victim",
							.delay_ms = DETOUR_SCENE_BRIEF_MS,
							.jitter_ms = DETOUR_SCENE_BRIEF_MS / 3 });
	assert_true(quickest_ms(other) < DETOUR_SCENE_BRIEF_MS);
	began_ms = clock_monotonic_ms();
	assert_string_equal(detour_scene_ask(scene.conn, "select 2"), "2");
	assert_true(clock_monotonic_ms() - began_ms >=
		    2 * (DETOUR_SCENE_BRIEF_MS - DETOUR_SCENE_BRIEF_MS / 3));
	assert_int_equal(relay_hits(scene.detour.relay), 1);
	assert_true(relay_bytes(scene.detour.relay) > 0);
	PQfinish(other);
	detour_scene_close(&scene);
}

static void what_is_delayed_arrives_at_once_when_the_rule_passes(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_DELAY, .delay_ms = 3600000 });
	PQsendQuery(scene.conn, "select 3");
	assert_false(detour_scene_hears(scene.conn, DETOUR_SCENE_BRIEF_MS));
	detour_scene_harm(&scene, &DETOUR_PASS);
	assert_true(detour_scene_hears(scene.conn, DETOUR_SCENE_PATIENCE_MS));
	detour_scene_close(&scene);
}

static void a_rate_is_kept_to(void **state)
{
	struct detour_scene scene;
	int64_t began_ms;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_RATE, .rate = 20000 });
	began_ms = clock_monotonic_ms();
	detour_scene_ask(scene.conn, "select repeat('x', 10000)");
	assert_in_range(clock_monotonic_ms() - began_ms, 400, 60000);
	detour_scene_close(&scene);
}

/* --- gone --------------------------------------------------------------------------------------- */

static void a_reset_ends_an_idle_connection_for_both(void **state)
{
	struct detour_scene scene;
	PGconn *by_port;

	detour_scene_open(&scene, *state);
	by_port = detour_scene_connect(&scene, "victim/two", true);
	detour_scene_harm(&scene, &(struct relay_rule){
					  .harm = RELAY_RESET, .client = "victim", .times = 2 });
	detour_scene_await(&scene, DETOUR_SCENE_GONE);
	assert_string_equal(detour_scene_ask(scene.conn, "select 1"), "lost");
	assert_string_equal(detour_scene_ask(by_port, "select 1"), "lost");
	assert_int_equal(relay_hits(scene.detour.relay), 2);
	/* Its times are over. */
	PQreset(by_port);
	assert_string_equal(detour_scene_ask(by_port, "select 1"), "1");
	PQfinish(by_port);
	detour_scene_close(&scene);
}

static void a_reset_at_a_trigger_leaves_the_server_with_the_request(void **state)
{
	struct detour_scene scene;
	PGconn *by_port;
	char byte;

	detour_scene_open(&scene, *state);
	by_port = detour_scene_connect(&scene, "victim/two", true);
	detour_scene_harm(
		&scene,
		&(struct relay_rule){ .harm = RELAY_RESET, .trigger = "public.mark", .times = 1 });
	assert_string_equal(detour_scene_ask(by_port, "select 1"), "1");
	PQsendQuery(by_port, DETOUR_SCENE_MARK);
	assert_true(detour_scene_hears(by_port, DETOUR_SCENE_PATIENCE_MS));
	assert_int_equal(recv(PQsocket(by_port), &byte, 1, MSG_PEEK), -1);
	assert_int_equal(errno, ECONNRESET);
	detour_scene_await(&scene, "select count(*) = 1 from public.mark");
	assert_string_equal(detour_scene_ask(scene.conn, "select 1"), "1");
	PQfinish(by_port);
	detour_scene_close(&scene);
}

static void a_half_open_connection_is_silent_and_goes_on_afterwards(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_HALF_OPEN });
	detour_await(&scene.detour, 1);
	PQsendQuery(scene.conn, DETOUR_SCENE_MARK);
	assert_false(detour_scene_hears(scene.conn, DETOUR_SCENE_BRIEF_MS));
	assert_int_equal(detour_scene_marks(&scene), 0);
	assert_true(relay_bytes(scene.detour.relay) > 0);
	detour_scene_harm(&scene, &DETOUR_PASS);
	assert_true(detour_scene_hears(scene.conn, DETOUR_SCENE_PATIENCE_MS));
	detour_scene_await(&scene, "select count(*) = 1 from public.mark");
	detour_scene_close(&scene);
}

static void a_half_open_connection_keeps_its_backend_when_the_client_has_gone(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_ask(scene.conn, "begin");
	detour_scene_ask(scene.conn, DETOUR_SCENE_MARK);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_HALF_OPEN });
	detour_await(&scene.detour, 1);
	PQfinish(scene.conn);
	poll(NULL, 0, DETOUR_SCENE_BRIEF_MS);
	assert_sql(scene.d, "idle in transaction",
		   "select state from pg_stat_activity where application_name = 'victim/one'");
	detour_scene_harm(&scene, &DETOUR_PASS);
	detour_scene_await(&scene, DETOUR_SCENE_GONE);
	scene.conn = NULL;
	detour_scene_close(&scene);
}

static void dropped_requests_never_arrive_and_the_connection_ends_with_the_rule(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_DROP_REQUESTS });
	detour_await(&scene.detour, 1);
	PQsendQuery(scene.conn, DETOUR_SCENE_MARK);
	assert_false(detour_scene_hears(scene.conn, DETOUR_SCENE_BRIEF_MS));
	assert_true(relay_bytes(scene.detour.relay) > 0);
	detour_scene_harm(&scene, &DETOUR_PASS);
	assert_true(detour_scene_hears(scene.conn, DETOUR_SCENE_PATIENCE_MS));
	detour_scene_await(&scene, DETOUR_SCENE_GONE);
	assert_int_equal(detour_scene_marks(&scene), 0);
	assert_string_equal(detour_scene_ask(scene.conn, "select 1"), "lost");
	detour_scene_close(&scene);
}

static void dropped_notifications_are_missing_from_answers_that_come(void **state)
{
	struct detour_scene scene;
	PGnotify *notify;

	detour_scene_open(&scene, *state);
	detour_scene_ask(scene.conn, "listen bell");
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_DROP_NOTIFICATIONS });
	detour_await(&scene.detour, 1);
	database_do(scene.d, "notify bell");
	assert_false(detour_scene_hears(scene.conn, DETOUR_SCENE_BRIEF_MS));
	assert_string_equal(detour_scene_ask(scene.conn, "select 1"), "1");
	assert_null(PQnotifies(scene.conn));
	assert_true(relay_bytes(scene.detour.relay) > 0);
	detour_scene_harm(&scene, &DETOUR_PASS);
	database_do(scene.d, "notify bell");
	assert_true(detour_scene_hears(scene.conn, DETOUR_SCENE_PATIENCE_MS));
	PQconsumeInput(scene.conn);
	notify = PQnotifies(scene.conn);
	assert_non_null(notify);
	PQfreemem(notify);
	detour_scene_close(&scene);
}

static void dropped_answers_are_of_what_was_done(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_DROP_ANSWERS });
	detour_await(&scene.detour, 1);
	PQsendQuery(scene.conn, DETOUR_SCENE_MARK);
	detour_scene_await(&scene, "select count(*) = 1 from public.mark");
	assert_false(detour_scene_hears(scene.conn, DETOUR_SCENE_BRIEF_MS));
	detour_scene_harm(&scene, &DETOUR_PASS);
	assert_string_equal(detour_scene_ask(scene.conn, "select 1"), "lost");
	detour_scene_close(&scene);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void closing_it_ends_every_connection(void **state)
{
	struct detour_scene scene;

	detour_scene_open(&scene, *state);
	detour_scene_harm(&scene, &(struct relay_rule){ .harm = RELAY_HALF_OPEN });
	detour_await(&scene.detour, 1);
	detour_close(&scene.detour);
	assert_string_equal(detour_scene_ask(scene.conn, "select 1"), "lost");
	detour_scene_await(&scene, DETOUR_SCENE_GONE);
	PQfinish(scene.conn);
}

static void a_server_that_is_not_there_is_told_at_the_connect(void **state)
{
	struct detour_scene scene;
	struct error err = { 0 };
	char conninfo[256];
	PGconn *conn;

	detour_scene_open(&scene, *state);
	detour_close(&scene.detour);
	snprintf(scene.detour.folder, sizeof(scene.detour.folder), "/tmp/locum-detour-XXXXXX");
	assert_non_null(mkdtemp(scene.detour.folder));
	assert_null(relay_open(scene.detour.folder, "nowhere", 5432, &err));
	assert_string_equal(err.text, "\"nowhere\" is no IPv4 address");
	scene.detour.relay = relay_open(scene.detour.folder, "/nowhere", 5432, &err);
	assert_non_null(scene.detour.relay);
	snprintf(conninfo, sizeof(conninfo), "host=%s port=5432", scene.detour.folder);
	conn = PQconnectdb(conninfo);
	assert_int_equal(PQstatus(conn), CONNECTION_BAD);
	PQfinish(conn);
	detour_scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(what_is_large_passes_unchanged_both_ways),
		DATABASE_TEST(a_client_that_does_not_read_holds_up_the_server_and_fills_no_memory),
		DATABASE_TEST(a_cancel_request_passes),
		DATABASE_TEST(delay_is_added_both_ways_to_those_it_is_meant_for),
		DATABASE_TEST(what_is_delayed_arrives_at_once_when_the_rule_passes),
		DATABASE_TEST(a_rate_is_kept_to),
		DATABASE_TEST(a_reset_ends_an_idle_connection_for_both),
		DATABASE_TEST(a_reset_at_a_trigger_leaves_the_server_with_the_request),
		DATABASE_TEST(a_half_open_connection_is_silent_and_goes_on_afterwards),
		DATABASE_TEST(a_half_open_connection_keeps_its_backend_when_the_client_has_gone),
		DATABASE_TEST(dropped_requests_never_arrive_and_the_connection_ends_with_the_rule),
		DATABASE_TEST(dropped_notifications_are_missing_from_answers_that_come),
		DATABASE_TEST(dropped_answers_are_of_what_was_done),
		DATABASE_TEST(closing_it_ends_every_connection),
		DATABASE_TEST(a_server_that_is_not_there_is_told_at_the_connect),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
