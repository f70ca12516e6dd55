/*
 * A PostgreSQL server that belongs to one test program, for tests that crash or restart it. It is a child of
 * the program and ends with it.
 *
 *   cmocka_run_group_tests(tests, scenario_server_open, scenario_server_close)
 *
 * The group's state is a struct database on that server. A second server may stand by: it gets its place when it is
 * promoted, and the former one may then stand by it.
 */
#ifndef LOCUM_TESTS_SUPPORT_SCENARIO_SERVER_H
#define LOCUM_TESTS_SUPPORT_SCENARIO_SERVER_H

#include <sys/types.h>

#include "tests/support/scenario.h"

int scenario_server_open(void **state);
int scenario_server_close(void **state);

/* Whether the process is one of the servers. */
bool scenario_server_owns(pid_t pid);

/* Instead of the first: its clock can be moved. */
int scenario_server_open_with_clock(void **state);

/* The same for the file of a clock of one's own: SKEW_FILE of tools/chaos/preload/skew.c. Returns -1 on failure. */
int scenario_server_write_clock(const char *path, int seconds);

/* Puts its clock ahead of the machine's by so many seconds, or behind it. */
void scenario_server_set_clock(struct scenario *s, int seconds);

/* As pg_ctl stop with the mode immediate (SIGQUIT) or fast (SIGINT) does; waits for its end. */
void scenario_server_stop(struct scenario *s, int number);

/* Starts it again, and connects the test to it again. */
void scenario_server_start(struct scenario *s);

/* Waits until the test is connected to a server that goes away by itself and comes back. */
void scenario_server_await_crash(struct scenario *s);

/* Waits until the test is connected again to a server that went away. */
void scenario_server_reconnect(struct scenario *s);

/* --- a second server ---------------------------------------------------------------------------- */

/* Makes a new standby of the server, which follows it, and waits until it does. From now on s->database->conninfo names
 * both, the standby first, and the test's own connection finds the one that writes. */
void scenario_server_replicate(struct scenario *s);

/* Makes another cluster in the place of the standby, with a database of the same name, and starts it. */
void scenario_server_make_other(struct scenario *s);

/* Whether commits wait for the standby. */
void scenario_server_synchronous(struct scenario *s, bool on);

/* Waits until the standby has replayed all that is written now. */
void scenario_server_await_replayed(struct scenario *s);

/* The standby gets nothing more. */
void scenario_server_hold_back(struct scenario *s);

/* The standby becomes the server, and the test is connected to it. The former one must have been stopped. */
void scenario_server_promote(struct scenario *s);

/* Starts the former server again, as it was, and stops it. */
void scenario_server_start_former(struct scenario *s);
void scenario_server_stop_former(struct scenario *s, int number);

/* The folders of their sockets: each its "host". */
const char *scenario_server_first(void);
const char *scenario_server_second(void);

/* Names one or two of these for whatever starts from now on; next may be NULL. */
void scenario_server_name(struct scenario *s, const char *host, const char *next);

#endif
