/*
 * Strays: processes that a handler left behind outside its process group.
 *
 * The agent is their subreaper, so whatever escaped becomes its child once its own parent is dead. Only
 * children that are not reaped are ever signalled, so a pid never names anything else. Owned by the
 * loop's thread.
 */
#ifndef LOCUM_AGENT_STRAY_H
#define LOCUM_AGENT_STRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/roster.h"
#include "base/buffer.h"
#include "base/error.h"

struct stray_finder {
	int children_fd; /* the kernel's list of our children, or -1: read from all of /proc */
	pid_t self;
	struct buffer list;    /* pids, as pid_t */
	struct buffer scratch; /* a file being read */
};

/* Which strays are killed. */
enum stray_mode {
	STRAY_OF_ENDED,  /* those of runs that were killed or have ended, or that are gone */
	STRAY_UNKNOWN,   /* also those that do not tell whose they are */
	STRAY_AND_MAINS, /* all children, main processes too */
};

int stray_open(struct stray_finder *finder, struct error *err);
void stray_close(struct stray_finder *finder);

/* Looks at all children once and kills. A run that is clearing and had nothing left gets has_strays =
 * false; the others wait for the next death of a child and the sweep after it. */
int stray_sweep(struct stray_finder *finder, const struct roster *roster, enum stray_mode mode,
		struct error *err);

#endif
