/* What is known of the dispatcher whose log is read; struct check's `own` meanwhile. */
#ifndef LOCUM_TOOLS_CHAOS_JUDGE_CHECK_WORKER_H
#define LOCUM_TOOLS_CHAOS_JUDGE_CHECK_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/chaos/judge/check.h"

/* An entry of a completion that is on its way. */
struct check_item {
	int64_t job;
	uint64_t claim;
	char outcome; /* the first letter of its word */
	bool answered;
};

struct check_completion {
	uint64_t id;
	struct check_item *items; /* by job */
	size_t count;
	size_t open;
	bool unknown;
	int64_t unknown_us; /* since when */
	bool abandoned; /* with the life that sent it; an answer may be on its way all the same */
};

struct check_worker {
	struct check_map lost; /* pairs of a job and a claim that it knows to be lost */
	struct check_completion *completions;
	size_t completion_count, completion_room;
	size_t life; /* its present one; CHECK_NO_LIFE before it has one */
	int64_t ping_sent_us;
	bool pinging; /* it was not answered yet */
	int64_t pid;
	int64_t pings;    /* the number of the last; of a process they ascend by one */
	int64_t acked_us; /* when the last one that was acknowledged was sent, or 0 */
	bool fenced;      /* its fence fell since */
};

/* --- check_workers.c ---------------------------------------------------------------------------- */

/* A record of a process whose life is over says that the process lived on; an answer of the database. */
void check_workers_note_life(struct check *check, int64_t at_us);
void check_workers_note_contact(struct check *check, int64_t at_us);

bool check_workers_knows_lost(const struct check_worker *worker, int64_t job, uint64_t claim);
void check_workers_learn_lost(struct check *check, int64_t at_us, int64_t job, uint64_t claim);

/* --- check_completions.c ------------------------------------------------------------------------ */

check_read_take check_completions_complete, check_completions_unknown, check_completions_answer,
	check_completions_settled;

/* What a process that is over had on its way stays unknown. */
void check_completions_forget(struct check *check);

/* The process goes on with another life, and does not ask what became of the former one's. */
void check_completions_abandon(struct check *check);

/* The process ends in peace: it has asked what became of all. */
void check_completions_stop(struct check *check);

#endif
