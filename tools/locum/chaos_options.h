/* The command lines of `locum chaos`, for the program locum-chaos, which obeys them, and for completion. */
#ifndef LOCUM_TOOLS_LOCUM_CHAOS_OPTIONS_H
#define LOCUM_TOOLS_LOCUM_CHAOS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "tools/locum/cli.h"
#include "tools/locum/verb.h"

/* What was given; texts as they are, NULL where nothing was. */
struct chaos_options {
	struct cli *cli;
	const char *suite;
	const char *file;
	const char **faults; /* the caller's to free */
	size_t fault_count;
	const char *jobs;
	const char *dispatchers;
	const char *for_time;
	const char *seed;
	const char *handler;
	const char *output;
	bool yes;
	bool html;
	const char *folder; /* of check and report */
};

enum chaos_options_part {
	CHAOS_OPTIONS_LIST,
	CHAOS_OPTIONS_RUN,
	CHAOS_OPTIONS_CHECK,
	CHAOS_OPTIONS_REPORT
};

/* The parts, in that order, and a NULL name. */
extern const struct verb_part chaos_options_parts[];

/* Reads argv, "locum chaos" and what follows. Sets *part and *options. Ends the program for --help and, with one
 * sentence, for a wrong option. */
int chaos_options_read(struct cli *cli, int argc, char **argv, enum chaos_options_part *part,
		       struct chaos_options *options, struct error *err);

#endif
