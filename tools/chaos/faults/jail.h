/*
 * Control groups of version 1 that a bout puts processes into, each for one controller: freezer, cpu, memory, pids. They
 * are beside the groups that agents make (version 2). One thread.
 */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_JAIL_H
#define LOCUM_TOOLS_CHAOS_FAULTS_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "tools/chaos/faults/fault.h"

enum { JAIL_PATH_SIZE = 128 };

struct jail {
	char path[JAIL_PATH_SIZE]; /* "": none */
};

/* 0 when this machine has the controller and it may be used; else the reason. */
int jail_possible(const char *controller, struct error *err);

/* Makes one for this bout, noted in the ledger. */
int jail_make(struct jail *jail, const struct bout *bout, const char *controller,
	      struct error *err);

/* Moves a process there; one that is gone is no error. The second moves all that came of it too. */
int jail_take(const struct jail *jail, pid_t pid, struct error *err);
int jail_take_tree(const struct jail *jail, pid_t pid, struct error *err);

/* Writes a value into one of its files. */
int jail_set(const struct jail *jail, const char *file, const char *value, struct error *err);

/* Whether the file begins with that word; the number behind a word at the beginning of a line, -1: there is none. */
bool jail_says(const struct jail *jail, const char *file, const char *word);
int64_t jail_count(const struct jail *jail, const char *file, const char *word);

/* Lets everybody out and removes it. Nothing to do when there is none. */
int jail_open(struct jail *jail, const struct bout *bout, struct error *err);

#endif
