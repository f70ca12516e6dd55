/* The command line of locumd. Called from main only: the parsing of the C library keeps globals. */
#ifndef LOCUM_DISPATCHER_OPTIONS_H
#define LOCUM_DISPATCHER_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "dispatcher/config.h"
#include "dispatcher/config_setting.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK,   /* --check: validate, print the effective values, exit */
	OPTIONS_HELP,    /* --help: options_help() to stdout */
	OPTIONS_VERSION, /* --version */
};

/* All texts are those of argv. */
struct options {
	enum options_action action;
	const char *file; /* -c, or NULL */
	size_t override_count;
	struct config_override overrides[CONFIG_SETTING_COUNT]; /* for config_load */
};

/* Returns 0 and fills *options, or -1 with ERROR_INPUT: one sentence, and exit code 64 is due. Prints
 * nothing. */
int options_read(struct options *options, int argc, char **argv, struct error *err);

/* What --help shows. */
void options_help(FILE *out);

#endif
