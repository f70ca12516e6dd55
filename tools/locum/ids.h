/* The ids of the jobs of one transaction, kept until it is committed. Jobs stored together mostly have
 * consecutive ids, so runs are kept: a million jobs take a few bytes. When others submit at the same time there
 * are many runs; most of them then wait in a temporary file. */
#ifndef LOCUM_TOOLS_LOCUM_IDS_H
#define LOCUM_TOOLS_LOCUM_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum { IDS_RUNS = 16384 };

struct ids_run {
	int64_t first;
	int64_t count;
};

/* Begins zeroed. */
struct ids {
	struct ids_run *runs;
	size_t count;
	FILE *file;   /* earlier runs */
	size_t filed; /* how many */
};

void ids_fini(struct ids *ids);
void ids_clear(struct ids *ids);
int ids_add(struct ids *ids, const int64_t *more, size_t count, struct error *err);

/* Prints each on a line, bare or as an object, and makes sure that it arrives. errno says why not. */
int ids_print(struct ids *ids, FILE *out, bool json, struct error *err);

#endif
