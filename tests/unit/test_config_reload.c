#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/config_reload.h"
#include "dispatcher/config_setting.h"
#include "tests/support/config_text.h"

#define HANDLER CONFIG_TEXT_HANDLER

static struct config load(const char *text)
{
	struct config config;
	struct error err;

	if (config_text_load(&config, text, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void what_counts_from_the_start_keeps_its_value_and_is_named(void **state)
{
	struct config start = load("database = \"dbname=a\"\nping_interval = 2s\n" HANDLER);
	struct config config = load("database = \"dbname=b\"\nping_interval = 3s listen = no\n"
				    "poll_interval = 7s\nlog_level = debug\n" HANDLER);
	struct error err;
	char names[128];

	(void)state;
	assert_int_equal(config_reload_keep(&config, &start, names, sizeof(names), &err), 0);
	assert_string_equal(names, "database, ping_interval, listen");
	assert_string_equal(config.database, "dbname=a");
	assert_int_equal(config.ping_interval_ms, 2000);
	assert_int_equal(config.ping_interval_ms_origin.line, 2);
	assert_int_equal(config.listen, 1);
	assert_int_equal(config.poll_interval_ms, 7000);
	assert_string_equal(config.log_level, "debug");
	config_fini(&config);
	config_fini(&start);
}

static void what_stays_the_same_is_not_named(void **state)
{
	struct config start = load("ping_interval = 2s\n" HANDLER);
	struct config config = load("\n\nping_interval = 2000ms\n" HANDLER);
	struct error err;
	char names[128] = "x";

	(void)state;
	assert_int_equal(config_reload_keep(&config, &start, names, sizeof(names), &err), 0);
	assert_string_equal(names, "");
	config_fini(&config);
	config_fini(&start);
}

static void assert_agent(const struct config *config, int seat, const char *name, bool leaving)
{
	assert_string_equal(config->agents[seat].name, name);
	assert_int_equal(config->agents[seat].leaving, leaving);
	if (leaving)
		assert_int_equal(config->agents[seat].handler_count, 0);
}

static void agents_keep_their_seats_and_new_ones_get_vacant_ones(void **state)
{
	const struct config_seat seats[] = { { "a", false }, { "b", true }, { "c", false } };
	struct config config = load("agent d {}\nagent c { size = 9 }\nagent e {}\n" HANDLER);
	struct error err;

	(void)state;
	assert_int_equal(config_reload_seat(&config, seats, 3, &err), 0);
	assert_int_equal(config.agent_count, 4);
	assert_agent(&config, 0, "a", true);
	assert_agent(&config, 1, "d", false);
	assert_agent(&config, 2, "c", false);
	assert_int_equal(config.agents[2].size, 9);
	assert_agent(&config, 3, "e", false);
	config_fini(&config);
}

static void one_that_left_gets_its_own_seat_back(void **state)
{
	const struct config_seat seats[] = { { "a", true }, { "b", true } };
	struct config config = load("agent c {}\nagent a {}\n" HANDLER);
	struct error err;

	(void)state;
	assert_int_equal(config_reload_seat(&config, seats, 2, &err), 0);
	assert_int_equal(config.agent_count, 2);
	assert_agent(&config, 0, "a", false);
	assert_agent(&config, 1, "c", false);
	config_fini(&config);
}

static void more_agents_than_there_are_seats_are_refused(void **state)
{
	struct config_seat seats[LIMIT_AGENTS];
	char names[LIMIT_AGENTS][32];
	struct config config = load("agent \"new\" {}\n" HANDLER);
	struct error err;

	(void)state;
	for (int i = 0; i < LIMIT_AGENTS; i++) {
		snprintf(names[i], sizeof(names[i]), "a%d", i);
		seats[i] = (struct config_seat){ names[i], false };
	}
	assert_int_equal(config_reload_seat(&config, seats, LIMIT_AGENTS, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_non_null(strstr(err.text, "agent \"new\" is one too many"));
	config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_counts_from_the_start_keeps_its_value_and_is_named),
		cmocka_unit_test(what_stays_the_same_is_not_named),
		cmocka_unit_test(agents_keep_their_seats_and_new_ones_get_vacant_ones),
		cmocka_unit_test(one_that_left_gets_its_own_seat_back),
		cmocka_unit_test(more_agents_than_there_are_seats_are_refused),
	};

	config_text_clear_environment();
	return cmocka_run_group_tests_name("config_reload", tests, NULL, NULL);
}
