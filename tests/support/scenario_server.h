/*
 * A PostgreSQL server that belongs to one test program, for tests that crash or restart it. It is a child of
 * the program and ends with it.
 *
 *   cmocka_run_group_tests(tests, scenario_server_open, scenario_server_close)
 *
 * The group's state is a struct database on that server.
 */
#ifndef LOCUM_TESTS_SUPPORT_SCENARIO_SERVER_H
#define LOCUM_TESTS_SUPPORT_SCENARIO_SERVER_H

#include <sys/types.h>

#include "tests/support/scenario.h"

int scenario_server_open(void **state);
int scenario_server_close(void **state);

/* 0 when there is none. */
pid_t scenario_server_pid(void);

/* As pg_ctl stop with the mode immediate (SIGQUIT) or fast (SIGINT) does; waits for its end. */
void scenario_server_stop(struct scenario *s, int number);

/* Starts it again, and connects the test to it again. */
void scenario_server_start(struct scenario *s);

/* Waits until the test is connected to a server that goes away by itself and comes back. */
void scenario_server_await_crash(struct scenario *s);

/* Waits until the test is connected again to a server that went away. */
void scenario_server_reconnect(struct scenario *s);

#endif
