#include "tools/chaos/faults/crowd.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/chaos/stage/fleet_ends.h"
#include "tools/chaos/stage/fleet_files.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum { NAME_SIZE = 24, END_MS = 20000, PIDS_SIZE = CROWD_MAX * 12 };

static void write_name(const struct bout *bout, int place, char name[static NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "b%d-%d", bout->number, place);
}

static void write_log(const struct bout *bout, int place, char path[static PATH_MAX])
{
	char name[NAME_SIZE];

	write_name(bout, place, name);
	snprintf(path, PATH_MAX, "%s/logs/%s.log", bout->stage->folder, name);
}

/* --- starting ----------------------------------------------------------------------------------- */

static int spawn(struct bout *bout, const char *folder, int place, const char *const *words,
		 pid_t *pid, struct error *err)
{
	char program[PATH_MAX];
	char configuration[PATH_MAX];
	char log[PATH_MAX];
	const char *argv[8] = { program, "-c", configuration, "-d", stage_conninfo(bout->stage) };
	const struct undo_spawn terms = { .argv = argv, .output = log };

	snprintf(program, sizeof(program), "%s/locumd", bout->stage->programs);
	snprintf(configuration, sizeof(configuration), "%s/locumd.conf", folder);
	write_log(bout, place, log);
	for (size_t i = 0; i < 2 && words != NULL && words[i] != NULL; i++)
		argv[5 + i] = words[i];
	return undo_spawn(bout->stage->undo, &terms, pid, err);
}

int crowd_start(struct bout *bout, int place, const char *const *words, struct error *err)
{
	struct crowd *crowd = bout->own;
	char folder[PATH_MAX / 2];
	char name[NAME_SIZE];

	write_name(bout, place, name);
	snprintf(folder, sizeof(folder), "%s/%s", bout->stage->scratch, name);
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", folder);
	if (fleet_files_write(bout->stage, folder, name, NULL, err) != 0 ||
	    spawn(bout, folder, place, words, &crowd->pids[place], err) != 0)
		return -1;
	if (crowd->size <= place)
		crowd->size = place + 1;
	return 0;
}

/* --- looking and ending ------------------------------------------------------------------------- */

int crowd_ready(struct bout *bout, int64_t *ready, struct error *err)
{
	const struct crowd *crowd = bout->own;
	char pids[PIDS_SIZE] = "{";
	const char *const params[] = { pids, "10000" };
	size_t used = 1;

	for (int i = 0; i < crowd->size; i++)
		used += (size_t)snprintf(pids + used, PIDS_SIZE - used, "%s%d", i == 0 ? "" : ",",
					 (int)crowd->pids[i]);
	snprintf(pids + used, PIDS_SIZE - used, "}");
	return server_run(bout->stage->server, "fleet_ready", params, 2, ready, err);
}

bool crowd_logged(const struct bout *bout, int place, const char *text)
{
	char path[PATH_MAX];
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *file;

	write_log(bout, place, path);
	file = fopen(path, "re");
	while (file != NULL && !found && getline(&line, &room, file) > 0)
		found = strstr(line, text) != NULL;
	free(line);
	if (file != NULL)
		fclose(file);
	return found;
}

int crowd_end(struct bout *bout, struct error *err)
{
	struct crowd *crowd = bout->own;
	bool asked[CROWD_MAX] = { false };
	char name[NAME_SIZE];
	char pid[24];
	int status = 0;
	int ended;

	for (int i = 0; crowd != NULL && i < crowd->size; i++) {
		asked[i] = process_lives(crowd->pids[i]);
		if (asked[i])
			kill(crowd->pids[i], SIGTERM);
	}
	for (int i = 0; crowd != NULL && i < crowd->size; i++) {
		if (crowd->pids[i] <= 0)
			continue;
		if (undo_wait(bout->stage->undo, crowd->pids[i], END_MS, &ended, err) == 1) {
			write_name(bout, i, name);
			fleet_ends_note(&bout->stage->nemesis, name, crowd->pids[i], ended,
					asked[i] ? SIGTERM : -1);
			continue;
		}
		snprintf(pid, sizeof(pid), "%d", (int)crowd->pids[i]);
		status = undo_now(bout->stage->undo, UNDO_PROCESS, pid, err);
	}
	return status;
}
