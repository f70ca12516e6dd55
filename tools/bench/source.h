/* A source of jobs: submits by liblocum, as fast as it can or at a pace. */
#ifndef LOCUM_TOOLS_BENCH_SOURCE_H
#define LOCUM_TOOLS_BENCH_SOURCE_H

#include "base/error.h"

struct source_options {
	const char *conninfo;
	const char *handler;
	int jobs;      /* to submit in all; 0: none but those of `seconds` */
	int batch;     /* in one call; 1: by locum_submit, one commit each */
	int every_ms;  /* between the beginnings of two calls; 0: at once */
	int jitter_ms; /* so much more at random */
	int seconds;   /* to end after, whatever is left; 0: never */
};

/* Submits. Each payload is an object of 110 bytes, whose "at" is CLOCK_MONOTONIC in nanoseconds just before the call.
 * Sets how many jobs were submitted, and the seconds from the first call to the last answer. */
int source_run(const struct source_options *options, int *jobs, double *seconds, struct error *err);

#endif
