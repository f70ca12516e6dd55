/*
 * The slate: one page of memory that an agent shares with one of its plugin hosts.
 *
 * A host gets many jobs at once, and reports in batches. What the agent has to know exactly, should the
 * host die this instant, stands here: which job runs. Jobs are numbered from 1 in the order in which they
 * were sent to the host. Every field is one atomic word with one writer, so that no lock is needed. A
 * plugin that goes wrong may write over the page: readers take nothing in it for granted.
 */
#ifndef LOCUM_AGENT_SLATE_H
#define LOCUM_AGENT_SLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct slate; /* the shared page */

/* Agent: makes the page. *fd is what the host inherits; it is close-on-exec. */
int slate_create(struct slate **slate, int *fd, struct error *err);

/* Host: maps the page behind the inherited descriptor and closes the descriptor. */
int slate_attach(struct slate **slate, int fd, struct error *err);

void slate_close(struct slate *slate);

/* Agent: no job may begin at or after this time, in milliseconds of CLOCK_BOOTTIME. 0 at first. */
void slate_set_limit_ms(struct slate *slate, int64_t limit_ms);
int64_t slate_limit_ms(const struct slate *slate);

/* Host: the job with this number begins; it has ended. */
void slate_begin(struct slate *slate, uint64_t number, int64_t now_ms);
void slate_end(struct slate *slate, uint64_t number);

/* Host, any thread: the running job gets on. */
void slate_progress(struct slate *slate);

/* What stands on the slate. */
struct slate_view {
	uint64_t begun;    /* the last job that began; 0: none */
	bool running;      /* it has not ended */
	int64_t begun_ms;  /* CLOCK_BOOTTIME */
	uint64_t progress; /* grows with each sign of life */
};
struct slate_view slate_read(const struct slate *slate);

#endif
