/*
 * Running the programs under test as a user does: arguments, an environment of their own, stdin; then what
 * they printed and their exit code. Every wait has a deadline; a helper that fails fails the test.
 */
#ifndef LOCUM_TESTS_SUPPORT_COMMAND_H
#define LOCUM_TESTS_SUPPORT_COMMAND_H

#include <stddef.h>
#include <sys/types.h>

enum { COMMAND_ARGS_MAX = 64, COMMAND_ENVIRONMENT_MAX = 16, COMMAND_PATIENCE_MS = 180000 };

struct command {
	const char *argv[COMMAND_ARGS_MAX]; /* ends with NULL; argv[0] is a path */
	char *environment[COMMAND_ENVIRONMENT_MAX];
	pid_t pid;
	int in; /* its stdin, for command_type; -1 when closed */
	int out;
	int err;
	char *printed; /* its stdout; ends with NUL */
	size_t printed_length;
	char *said; /* its stderr */
	size_t said_length;
	int code; /* exit code, or 128 + signal */
};

/* A command with this path and nothing more. The environment has PATH and LANG only. */
void command_init(struct command *command, const char *path);
void command_fini(struct command *command);

/* Adds "KEY=VALUE". */
void command_setenv(struct command *command, const char *key, const char *value);

/* Adds arguments; the list ends with NULL. They are borrowed. */
void command_add(struct command *command, ...) __attribute__((sentinel));

void command_start(struct command *command);
void command_type(struct command *command, const char *bytes, size_t length);
/* Waits until it has read all that was typed. */
void command_await_taken(struct command *command);
void command_type_end(struct command *command);

/* Reads on until stderr (or stdout) holds the text. */
void command_await_said(struct command *command, const char *text);
void command_await_printed(struct command *command, const char *text);

/* Reads to the end, and reaps. */
void command_finish(struct command *command);

/* All of it, with that stdin. */
void command_run(struct command *command, const char *input, size_t length);

#endif
