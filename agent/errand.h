/*
 * An errand: a job for a plugin host, from the RUN frame to the OUTCOME. There may be hundreds of thousands a
 * second, so it is little more than the job. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_ERRAND_H
#define LOCUM_AGENT_ERRAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/error.h"
#include "base/wire.h"

struct member; /* of a pool (agent/pool.h): the handler */

struct errand {
	TAILQ_ENTRY(errand) link;
	struct member *member;
	struct wire_job job; /* its texts lie behind the struct; timeout_ms is what counts here */
	uint64_t number;     /* on the slate of its host */
	bool cancelled;
	bool lost;           /* nobody wants its outcome */
	bool recalled;       /* it is to come back if it has not begun */
	bool alone;          /* its host gets nothing else meanwhile */
	int64_t kill_due_ms; /* CLOCK_BOOTTIME: its host dies if it runs then; 0: never */
};

TAILQ_HEAD(errand_list, errand);

/* A copy of *job, or NULL when memory ends. */
struct errand *errand_make(const struct wire_job *job, struct member *member, struct error *err);
void errand_free(struct errand *errand);

/* The one of this claim, or NULL. */
struct errand *errand_find(const struct errand_list *list, int64_t job, struct uuid claim);

/* The one of this number on its host's slate, or NULL. */
struct errand *errand_by_number(const struct errand_list *list, uint64_t number);

#endif
