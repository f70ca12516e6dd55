#include "tests/support/cli.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *cli_program(const char *name)
{
	static char path[PATH_MAX];
	const char *folder = getenv("LOCUM_TEST_BIN");

	if (folder == NULL)
		fail_msg("LOCUM_TEST_BIN is not set; run tests/run");
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

void cli_init(struct command *command, const struct database *d)
{
	signal(SIGPIPE, SIG_IGN);
	command_init(command, cli_program("locum"));
	command_setenv(command, "HOME", "/nonexistent");
	command_setenv(command, "XDG_STATE_HOME", "/nonexistent");
	if (d != NULL)
		command_setenv(command, "LOCUM_DATABASE_URL", d->conninfo);
}

static void add_all(struct command *command, va_list args)
{
	const char *arg;

	while ((arg = va_arg(args, const char *)) != NULL)
		command_add(command, arg, NULL);
}

void cli_run(struct command *command, const struct database *d, ...)
{
	va_list args;

	cli_init(command, d);
	va_start(args, d);
	add_all(command, args);
	va_end(args);
	command_run(command, "", 0);
}

void cli_run_with(struct command *command, const struct database *d, const char *input, ...)
{
	va_list args;

	cli_init(command, d);
	va_start(args, input);
	add_all(command, args);
	va_end(args);
	command_run(command, input, strlen(input));
}

void cli_assert(const struct command *command, int code, const char *words)
{
	if (command->code != code)
		fail_msg("exit code %d instead of %d; it said: %s", command->code, code,
			 command->said);
	if (strstr(command->said, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, command->said);
}
