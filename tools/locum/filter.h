/* The options that say which jobs: for every verb that looks for jobs. */
#ifndef LOCUM_TOOLS_LOCUM_FILTER_H
#define LOCUM_TOOLS_LOCUM_FILTER_H

#include "db/view.h"
#include "tools/locum/cli.h"

enum { FILTER_VALUES = 64 }; /* of one option that may be repeated */

struct filter_values {
	const char *values[FILTER_VALUES];
	size_t count;
};

/* Begins zeroed. */
struct filter {
	struct filter_values states;
	struct filter_values queues;
	struct filter_values handlers;
	struct filter_values labels;
	const char *since;
	const char *until;
	bool by_end;
	const char *error;
	const char *key;
	const char *submitted_by;
	char *owned[FILTER_VALUES]; /* texts of states that came with commas between them */
	size_t owned_count;
	char *label_object;
};

/* Options as an argp child; its input is a struct filter. */
extern const struct argp filter_argp;

/* Whether any option was given. */
bool filter_is_set(const struct filter *filter);

/* Checks what needs no database. */
int filter_check(struct filter *filter, struct cli *cli, struct error *err);

/* Puts the filter into the form that searches take, which borrows from it. The database says what time it is. */
int filter_resolve(struct filter *filter, struct db *db, struct view_filter *resolved,
		   struct error *err);

void filter_fini(struct filter *filter);

#endif
