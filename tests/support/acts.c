#include "tests/support/acts.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void acts_watch(struct acts *acts, struct scenario *s, pid_t pid)
{
	char text[16];

	snprintf(acts->path, sizeof(acts->path), "%s/acts.%d", s->directory, (int)pid);
	snprintf(text, sizeof(text), "%d", (int)pid);
	command_init(&acts->strace, "/usr/bin/strace");
	command_add(&acts->strace, "-o", acts->path, "-p", text, NULL);
	command_start(&acts->strace);
	command_await_said(&acts->strace, "attached");
}

/* Whether a line tells of something that has to wait until others are dead. */
static bool is_later(const char *line)
{
	static const char *const LATER[] = { "recv",   "send",  "write(2,", "clone",
					     "execve", "vfork", "fork" };

	for (size_t i = 0; i < sizeof(LATER) / sizeof(LATER[0]); i++)
		if (strncmp(line, LATER[i], strlen(LATER[i])) == 0)
			return true;
	return false;
}

static bool is_kill(const char *line)
{
	return strncmp(line, "kill(", 5) == 0 && strstr(line, "SIGKILL") != NULL;
}

void acts_assert_kills_first(struct acts *acts, struct scenario *s, int kills)
{
	char line[1024];
	bool waited = true;
	bool stopped = false;
	bool went_on = false;
	int killed = 0;
	FILE *file;

	kill(acts->strace.pid, SIGTERM);
	command_finish(&acts->strace);
	command_fini(&acts->strace);
	file = fopen(acts->path, "re");
	assert_non_null(file);
	while (killed < kills && fgets(line, sizeof(line), file) != NULL) {
		went_on = went_on || strncmp(line, "--- SIGCONT", 11) == 0;
		stopped = stopped || strncmp(line, "--- SIGSTOP", 11) == 0;
		killed += went_on && is_kill(line);
		if (went_on && waited && is_later(line))
			scenario_fail(s, "this came before kill %d: %s", killed + 1, line);
		if (!stopped)
			waited = strncmp(line, "epoll_", 6) == 0;
	}
	fclose(file);
	assert_int_equal(killed, kills);
}
