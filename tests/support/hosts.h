/* Plugins and functions of the database in a fleet, and the processes that run them. */
#ifndef LOCUM_TESTS_SUPPORT_HOSTS_H
#define LOCUM_TESTS_SUPPORT_HOSTS_H

#include <stddef.h>
#include <sys/types.h>

#include "tests/support/scenario.h"

enum { HOSTS_MAX = 64 };

/* Adds a handler that is a deed (tests/plugins/deeds.c), with more settings for its section or "". */
void hosts_plugin(struct scenario *s, const char *symbol, const char *settings);

/* Adds a handler that is a function of the database. */
void hosts_function(struct scenario *s, const char *name, const char *function);

/* The hosts of an agent. Returns how many there are; pids has room for HOSTS_MAX. */
size_t hosts_find(pid_t agent, pid_t *pids);

#endif
