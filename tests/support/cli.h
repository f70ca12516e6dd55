/* The program `locum` under test, on the database of a test. */
#ifndef LOCUM_TESTS_SUPPORT_CLI_H
#define LOCUM_TESTS_SUPPORT_CLI_H

#include "tests/support/command.h"
#include "tests/support/database.h"

/* The path of a program under test. Valid until the next call. */
const char *cli_program(const char *name);

/* Prepares `locum` for the database; NULL: for none. */
void cli_init(struct command *command, const struct database *d);

/* Runs it with arguments, which end with NULL, and no stdin. The caller calls command_fini. */
void cli_run(struct command *command, const struct database *d, ...) __attribute__((sentinel));

/* As cli_run, with that text on stdin. */
void cli_run_with(struct command *command, const struct database *d, const char *input, ...)
	__attribute__((sentinel));

/* Fails unless it ended with that code and its stderr holds these words. */
void cli_assert(const struct command *command, int code, const char *words);

#endif
