/* Verbs that do something to many jobs: those whose ids they are given, or those that a filter finds. */
#ifndef LOCUM_TOOLS_LOCUM_BULK_H
#define LOCUM_TOOLS_LOCUM_BULK_H

#include "tools/locum/cli.h"
#include "tools/locum/filter.h"

struct bulk_totals {
	size_t done;
	size_t asked;   /* of these, those whose worker was asked to end them */
	size_t left;    /* alone, for the filter would not find them any more */
	size_t refused; /* for a reason that was told */
};

struct bulk_options {
	struct cli *cli;
	struct filter filter; /* set if the jobs were found by it */
	bool dry_run;
	bool yes;
	bool again;   /* also what was done to before */
	char **texts; /* the arguments */
	size_t count;
};

struct bulk {
	const char *verb;      /* "cancel", for questions */
	const char *done;      /* "cancelled" */
	const char *left;      /* why the filter does not find what it left alone */
	const char *states[8]; /* the only ones that a filter finds; ends with NULL */
	size_t default_states; /* how many of them it finds if it names no state */

	/* Acts on jobs by ascending id, prints with `print` what became of each, and adds to *totals. */
	int (*act)(const struct bulk_options *options, struct db *db, const int64_t *ids,
		   size_t count, bool print, struct bulk_totals *totals, struct error *err);

	/* Which of these jobs a filter leaves out unless `again` is set, as rows of id; NULL: none. */
	PGresult *(*leave_out)(struct db *db, const int64_t *ids, size_t count, struct error *err);
};

/* The pieces of the argp of such a verb; its input is a struct bulk_options. */
#define BULK_OPTIONS                                                                               \
	{ "dry-run", 'n', NULL, 0, "only tell which jobs a filter finds", 1 },                     \
	{                                                                                          \
		"yes", 'y', NULL, 0, "do not ask about the jobs that a filter finds", 1            \
	}
enum { BULK_AGAIN = 0x200 }; /* a flag without a letter */
extern const struct argp_child bulk_children[];
error_t bulk_parse(int key, char *arg, struct argp_state *state);

/* Does the work of a verb whose options were parsed into *options. */
int bulk_run(const struct bulk *bulk, struct bulk_options *options, struct error *err);

#endif
