/*
 * A race: several connections empty a table of jobs, each by claiming a batch and completing the one before
 * in the same transaction. What the statements are is the contestant's business.
 */
#ifndef LOCUM_TOOLS_BENCH_RACE_H
#define LOCUM_TOOLS_BENCH_RACE_H

#include <stddef.h>

#include "base/error.h"

enum { RACE_CONNECTIONS_MAX = 64 };

struct race {
	const char *conninfo;
	int connections;
	int batch;
};

struct contestant {
	const char *name;

	/* Opens one connection, its statements prepared. Sets *loop, which close frees. */
	int (*open)(void **loop, const struct race *race, struct error *err);

	/* One transaction. Sets how many jobs it claimed, and how many of the claim before it completed. */
	int (*turn)(void *loop, size_t *claimed, size_t *completed, struct error *err);

	void (*close)(void *loop);
};

/* The prototype: a table with what a claim needs and nothing else, by libpq alone. */
extern const struct contestant BARE_CONTESTANT;

/* The same, but it keeps no history. */
extern const struct contestant BARE_NONE_CONTESTANT;

/* A consumer of PgQ, which gets batches as its ticker cut them: one connection, `batch` does not count. */
extern const struct contestant PGQ_CONTESTANT;

/* The statements that a dispatcher runs. */
extern const struct contestant LOCUM_CONTESTANT;

/* Runs until no connection finds a job. Sets how many jobs were completed, and the seconds that it took from
 * the first claim to the last commit. */
int race_run(const struct race *race, const struct contestant *contestant, size_t *jobs,
	     double *seconds, struct error *err);

#endif
