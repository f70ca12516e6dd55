/* Getting through to a server, past hosts that do not answer, for no longer than is wanted. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/halt.h"
#include "db/hosts.h"
#include "tests/support/database.h"
#include "tests/support/detour.h"

enum { BRIEF_MS = 200, LONG_MS = 600000, PROMPT_MS = 120000 };

/* A host that takes connections and never says a word, and the server itself behind it in the list. */
struct scene {
	struct database *d;
	struct detour detour;
	char conninfo[1024];
	struct db_options options;
	struct error err;
};

static void open_scene(struct scene *scene, struct database *d)
{
	*scene = (struct scene){ .d = d };
	detour_open(&scene->detour, d->sql);
	relay_set(scene->detour.relay, &(struct relay_rule){ .harm = RELAY_HALF_OPEN });
	snprintf(scene->conninfo, sizeof(scene->conninfo), "%s host=%s,%s port=5432,%s",
		 d->conninfo, scene->detour.folder, PQhost(d->sql), PQport(d->sql));
	scene->options = (struct db_options){
		.conninfo = scene->conninfo,
		.answer_ms = LONG_MS,
		.connect_ms = BRIEF_MS,
	};
}

static void name_silent_alone(struct scene *scene)
{
	snprintf(scene->conninfo, sizeof(scene->conninfo), "%s host=%s port=5432",
		 scene->d->conninfo, scene->detour.folder);
}

static struct db *connect(struct scene *scene)
{
	struct db *db = NULL;

	if (db_open(&db, &scene->options, &scene->err) != 0)
		fail_msg("%s", scene->err.text);
	return db;
}

static void a_host_that_is_silent_is_given_up_in_time(void **state)
{
	struct scene scene;
	struct db *db;

	open_scene(&scene, *state);
	name_silent_alone(&scene);
	assert_int_equal(db_open(&db, &scene.options, &scene.err), -1);
	assert_int_equal(scene.err.kind, ERROR_RETRY);
	assert_string_equal(scene.err.text,
			    "cannot connect to the database: no answer within 200 ms");
	detour_close(&scene.detour);
}

static void the_host_that_answered_last_is_tried_first(void **state)
{
	struct hosts_memory memory = HOSTS_MEMORY_INIT;
	struct scene scene;

	open_scene(&scene, *state);
	db_close(connect(&scene));
	db_close(connect(&scene));
	assert_int_equal(relay_hits(scene.detour.relay), 2);
	scene.options.memory = &memory;
	db_close(connect(&scene));
	assert_int_equal(relay_hits(scene.detour.relay), 3);
	for (int i = 0; i < 3; i++)
		db_close(connect(&scene));
	assert_int_equal(relay_hits(scene.detour.relay), 3);
	detour_close(&scene.detour);
}

/* The name leads to several addresses, or to one that refuses. */
static void a_name_is_looked_up(void **state)
{
	struct scene scene;
	struct error err;
	struct db *db;

	open_scene(&scene, *state);
	relay_set(scene.detour.relay, &DETOUR_PASS);
	snprintf(scene.conninfo, sizeof(scene.conninfo), "%s host=localhost port=%d",
		 scene.d->conninfo, relay_port(scene.detour.relay));
	scene.options.connect_ms = PROMPT_MS;
	db_close(connect(&scene));
	snprintf(scene.conninfo, sizeof(scene.conninfo), "%s host=nobody.invalid",
		 scene.d->conninfo);
	assert_int_equal(db_open(&db, &scene.options, &err), -1);
	assert_int_equal(err.kind, ERROR_RETRY);
	assert_non_null(strstr(err.text, "the host \"nobody.invalid\" is not found"));
	detour_close(&scene.detour);
}

static int refuse_first(struct db *db, void *context, struct error *err)
{
	int *asked = context;

	(void)db;
	return (*asked)++ == 0 ? error_set(err, ERROR_FATAL, "not this one") : 0;
}

static void who_is_refused_is_passed_over(void **state)
{
	struct scene scene;
	struct db *db;
	int asked = 0;

	open_scene(&scene, *state);
	relay_set(scene.detour.relay, &DETOUR_PASS);
	scene.options.check = refuse_first;
	scene.options.context = &asked;
	scene.options.connect_ms = PROMPT_MS;
	db_close(connect(&scene));
	assert_int_equal(asked, 2);
	asked = 0;
	name_silent_alone(&scene);
	assert_int_equal(db_open(&db, &scene.options, &scene.err), -1);
	assert_int_equal(scene.err.kind, ERROR_FATAL);
	assert_string_equal(scene.err.text, "not this one");
	detour_close(&scene.detour);
}

/* --- the end of waiting ------------------------------------------------------------------------- */

/* Sets the halt once the other thread waits for the silent one. */
struct setter {
	struct halt halt;
	struct detour *detour;
};

static void *set_halt(void *context)
{
	struct setter *setter = context;

	detour_await(setter->detour, 1);
	halt_set(&setter->halt, clock_monotonic_ms());
	return NULL;
}

static void open_setter(struct setter *setter, struct scene *scene)
{
	*setter = (struct setter){ .detour = &scene->detour };
	assert_int_equal(halt_open(&setter->halt, &scene->err), 0);
	scene->options.halt = &setter->halt;
}

static void a_halt_ends_the_wait_for_a_connection(void **state)
{
	int64_t began_ms = clock_monotonic_ms();
	struct setter setter;
	struct scene scene;
	pthread_t thread;
	struct db *db;

	open_scene(&scene, *state);
	open_setter(&setter, &scene);
	scene.options.connect_ms = LONG_MS;
	assert_int_equal(pthread_create(&thread, NULL, set_halt, &setter), 0);
	assert_int_equal(db_open(&db, &scene.options, &scene.err), -1);
	pthread_join(thread, NULL);
	assert_int_equal(scene.err.kind, ERROR_RETRY);
	assert_true(clock_monotonic_ms() - began_ms < PROMPT_MS);
	/* And no other is begun. */
	assert_int_equal(db_open(&db, &scene.options, &scene.err), -1);
	assert_int_equal(relay_hits(scene.detour.relay), 1);
	halt_close(&setter.halt);
	detour_close(&scene.detour);
}

static void a_halt_ends_the_wait_for_an_answer(void **state)
{
	int64_t began_ms = clock_monotonic_ms();
	struct setter setter;
	struct scene scene;
	struct db *db;

	open_scene(&scene, *state);
	open_setter(&setter, &scene);
	db = connect(&scene);
	halt_set(&setter.halt, clock_monotonic_ms() + BRIEF_MS);
	/* What answers in time is not disturbed. */
	assert_int_equal(db_execute(db, "select 1", &scene.err), 0);
	assert_int_equal(db_execute(db, "select pg_sleep(600)", &scene.err), -1);
	assert_true(db_is_lost(db));
	assert_true(clock_monotonic_ms() - began_ms < PROMPT_MS);
	db_close(db);
	halt_close(&setter.halt);
	detour_close(&scene.detour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_host_that_is_silent_is_given_up_in_time),
		DATABASE_TEST(the_host_that_answered_last_is_tried_first),
		DATABASE_TEST(a_name_is_looked_up),
		DATABASE_TEST(who_is_refused_is_passed_over),
		DATABASE_TEST(a_halt_ends_the_wait_for_a_connection),
		DATABASE_TEST(a_halt_ends_the_wait_for_an_answer),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
