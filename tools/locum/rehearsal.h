/*
 * One conversation with a service under test: orders given, answers counted. What breaks a rule of lines or of
 * answers (2.1, 3.1) is an error of whatever is called. One thread.
 */
#ifndef LOCUM_TOOLS_LOCUM_REHEARSAL_H
#define LOCUM_TOOLS_LOCUM_REHEARSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tools/locum/conformance.h"
#include "tools/locum/subject.h"

enum { REHEARSAL_JOBS_MAX = 1024 };

struct rehearsal {
	struct conformance *conformance;
	struct subject subject;
	struct buffer orders; /* not written yet */
	bool greeted;
	bool pinged;
	int given; /* jobs, with ids from 1 */
	int answered;
	bool is_answered[REHEARSAL_JOBS_MAX + 1];
};

/* Starts the program and says nothing. */
int rehearsal_start(struct rehearsal *rehearsal, struct conformance *conformance,
		    struct error *err);
void rehearsal_end(struct rehearsal *rehearsal);

/* Starts it, says initialize, and awaits the answer, which it notes in the conformance. */
int rehearsal_greet(struct rehearsal *rehearsal, struct conformance *conformance,
		    struct error *err);

/* Each puts an order with the ones that are written next. payload NULL: that of the conformance; extra: JSON
 * members that stand before it, with a comma behind. */
int rehearsal_job(struct rehearsal *rehearsal, const char *payload, const char *extra,
		  struct error *err);
int rehearsal_say(struct rehearsal *rehearsal, const char *line, struct error *err);

/* Writes those orders, all or the first bytes of them. */
int rehearsal_write(struct rehearsal *rehearsal, struct error *err);
int rehearsal_write_part(struct rehearsal *rehearsal, size_t length, struct error *err);

/* Waits until all jobs are answered; a ping. */
int rehearsal_await(struct rehearsal *rehearsal, struct error *err);
int rehearsal_await_ping(struct rehearsal *rehearsal, struct error *err);

/* Nothing may come for a while. */
int rehearsal_expect_silence(struct rehearsal *rehearsal, struct error *err);

/* Says shutdown, closes descriptor 3, and awaits an exit with code 0. */
int rehearsal_finish(struct rehearsal *rehearsal, struct error *err);

/* Awaits an exit of any kind. What it wrote before has to be right. */
int rehearsal_await_exit(struct rehearsal *rehearsal, struct error *err);

#endif
