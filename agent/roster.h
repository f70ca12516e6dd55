/*
 * The jobs and runs of an agent, in the order they came: jobs that wait, runs that have a process or a server, those that
 * only have leftovers, those that are done. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_ROSTER_H
#define LOCUM_AGENT_ROSTER_H

#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "agent/arrival.h"
#include "agent/run.h"

enum { ROSTER_BUCKETS = 1024 };

TAILQ_HEAD(roster_list, run);
SLIST_HEAD(roster_bucket, run);

struct roster {
	struct arrival_list waiting; /* for no service */
	struct roster_list running;  /* have a main process that is not reaped */
	struct roster_list guests;   /* jobs that servers have */
	struct roster_list clearing; /* what they left behind is being killed */
	struct roster_list done;     /* outcomes to report */
	size_t waiting_count;        /* for services, too */
	size_t running_count;
	size_t clearing_count;
	size_t done_count;
	size_t guest_count;
	size_t server_count; /* and plugin hosts, of those running and clearing */
	uint64_t last_number;
	size_t waiting_bytes; /* of payloads */
	struct roster_bucket by_pid[ROSTER_BUCKETS];
};

void roster_init(struct roster *roster);

/* Frees all runs. */
void roster_fini(struct roster *roster);

/* Puts a job at the end of a line: the roster's, or that of a service. */
void roster_line_up(struct roster *roster, struct arrival_list *line, struct arrival *arrival);

/* Takes a job out of its line. */
void roster_take_out(struct roster *roster, struct arrival_list *line, struct arrival *arrival);

/* Adds a run that has started or is done. */
void roster_add(struct roster *roster, struct run *run);

/* Moves a run to where its state says it belongs. */
void roster_move(struct roster *roster, struct run *run);

/* Takes a done run off the roster. */
void roster_remove(struct roster *roster, struct run *run);

/* The run whose main process has this pid and is not reaped, or NULL. */
struct run *roster_by_pid(const struct roster *roster, pid_t pid);

/* The run of this claim that is not done, or NULL. */
struct run *roster_by_claim(const struct roster *roster, int64_t job, struct uuid claim);

/* How many slots are taken: by jobs, not by servers. */
size_t roster_busy(const struct roster *roster);

/* How many processes and jobs there are that do not just wait. */
size_t roster_living(const struct roster *roster);

#endif
