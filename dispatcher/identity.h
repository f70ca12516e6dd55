/*
 * Who this dispatcher is: a stable UUID in a state file that is held by flock, and the incarnation that it
 * lived last. Whoever holds the lock knows that no process of that incarnation is left, its handlers
 * included, for agents inherit the lock and go last.
 */
#ifndef LOCUM_DISPATCHER_IDENTITY_H
#define LOCUM_DISPATCHER_IDENTITY_H

#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"

enum { IDENTITY_TEXT_MAX = 256 };

struct identity {
	struct uuid id;
	struct uuid
		former;    /* the incarnation that the file named; none: zero, also in a copy of the
			     * file, a clone of the machine, or after a reboot */
	int64_t system_id; /* of the database that the file names; none: 0 */
	int64_t timeline;  /* and the one that it was last seen in */
	struct uuid saved; /* the incarnation that this process wrote into it */
	int fd;            /* of the state file, locked */
	char path[IDENTITY_TEXT_MAX * 2];
	char host[IDENTITY_TEXT_MAX];
	char machine_id[IDENTITY_TEXT_MAX];
};

/* Opens or makes state_dir/dispatcher, locks it, waiting up to wait_ms for agents of an earlier process
 * to finish, and writes our pid into it. ERROR_INPUT when the folder cannot be used or is full, or when another live dispatcher holds the file:
 * the sentence names its pid. */
int identity_open(struct identity *identity, const char *state_dir, int64_t wait_ms,
		  struct error *err);
void identity_close(struct identity *identity);

/* Writes the incarnation that lives into the file, durably, once it is registered, and the database where that was done
 * with its timeline; nothing when the file says so already. */
int identity_save(struct identity *identity, struct uuid incarnation, int64_t timeline,
		  struct error *err);

#endif
