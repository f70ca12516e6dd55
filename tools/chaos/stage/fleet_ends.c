#include "tools/chaos/stage/fleet_ends.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tools/chaos/stage/fleet.h"

static void note(struct history *nemesis, const char *name, pid_t pid, const char *how, int number,
		 int asked)
{
	history_write(nemesis, "ended %s %d %s %d %d", name, (int)pid, how, number, asked);
}

void fleet_ends_note(struct history *nemesis, const char *name, pid_t pid, int status, int asked)
{
	if (WIFSIGNALED(status))
		note(nemesis, name, pid, "signal", WTERMSIG(status), asked);
	else
		note(nemesis, name, pid, "exit", WEXITSTATUS(status), asked);
}

int fleet_ends_why(int asked, bool expected, bool settled, int status)
{
	if (WIFEXITED(status) && !settled)
		return -1;
	if (asked != 0)
		return asked;
	return expected ? -1 : 0;
}

/* --- agents ------------------------------------------------------------------------------------- */

/* Many things kill agents, among them their own dispatchers, but none asks one to exit with an error. */
static void note_agent(struct history *nemesis, const char *dispatcher, const char *line)
{
	const char *rest = strstr(line, " agent died agent=");
	char name[64];
	char how[8];
	int status;
	int pid;

	if (rest == NULL)
		return;
	rest = strstr(rest, " pid=");
	if (rest == NULL ||
	    sscanf(rest, " pid=%d by=\"%7[a-z]\" status=%d", &pid, how, &status) != 3)
		return;
	snprintf(name, sizeof(name), "%s-agent", dispatcher);
	note(nemesis, name, (pid_t)pid, how, status, strcmp(how, "exit") == 0 ? 0 : -1);
}

void fleet_ends_of_agents(struct stage *stage)
{
	for (int place = 0; place < fleet_size(stage->fleet); place++) {
		FILE *file = fopen(fleet_log(stage->fleet, place), "re");
		char *line = NULL;
		size_t room = 0;

		while (file != NULL && getline(&line, &room, file) > 0)
			note_agent(&stage->nemesis, fleet_name(stage->fleet, place), line);
		free(line);
		if (file != NULL)
			fclose(file);
	}
}
