/*
 * A PgBouncer in transaction mode before the server of a test, with so few connections that its clients share
 * them. It is a child of the test program and ends with the scenario.
 */
#ifndef LOCUM_TESTS_SUPPORT_POOLER_H
#define LOCUM_TESTS_SUPPORT_POOLER_H

#include <sys/types.h>

#include "tests/support/scenario.h"

/* Connections to the server. */
enum { POOLER_SIZE = 3 };

struct pooler {
	struct scenario *s;
	char folder[SCENARIO_PATH]; /* of its socket: its "host" */
	pid_t pid;
};

/* Starts it. What starts from now on goes through it; the test's own connection does not. */
void pooler_open(struct pooler *pooler, struct scenario *s);

/* Ends it by this signal, and starts it again. */
void pooler_restart(struct pooler *pooler, int number);

/* Leads it to the server that the test's own connection has; its clients stay connected. */
void pooler_redirect(struct pooler *pooler);

#endif
