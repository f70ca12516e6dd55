#include "tools/chaos/faults/ended.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/chaos/stage/fleet.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage.h"

enum { LEAST = 20, WORD_SIZE = 64 };

static void trace_path(const struct bout *bout, int place, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/worker-%s.log", bout->stage->folder,
		 fleet_name(bout->stage->fleet, place));
}

int ended_begin(struct bout *bout, struct ended *ended, struct error *err)
{
	for (int i = 0; i < fleet_size(bout->stage->fleet); i++) {
		char path[PATH_MAX];
		struct stat status;

		trace_path(bout, i, path);
		ended->offsets[i] = stat(path, &status) == 0 ? status.st_size : 0;
	}
	return server_look(bout->stage->server, "moment", NULL, 0, ended->since,
			   sizeof(ended->since), err);
}

bool ended_some(struct bout *bout, struct ended *ended)
{
	const char *const params[] = { ended->since };
	char jobs[ENDED_TEXT_SIZE - 2];
	int count = 1;

	if (server_look(bout->stage->server, "ended_since", params, 1, jobs, sizeof(jobs), NULL) !=
	    0)
		return false;
	for (const char *at = jobs; *at != '\0'; at++)
		count += *at == ' ';
	snprintf(ended->jobs, sizeof(ended->jobs), " %s ", jobs);
	return jobs[0] != '\0' && count >= LEAST;
}

/* JOB:accepted, JOB:mine */
static bool is_stored(const struct ended *ended, const char *word)
{
	const char *verdict = strchr(word, ':');
	char job[WORD_SIZE];

	if (verdict == NULL || (strcmp(verdict, ":accepted") != 0 && strcmp(verdict, ":mine") != 0))
		return false;
	snprintf(job, sizeof(job), " %.*s ", (int)(verdict - word), word);
	return strstr(ended->jobs, job) != NULL;
}

/* A line that is being written has no end yet. */
static bool tells(const struct ended *ended, char *line)
{
	char *rest;
	char *word;

	if (strstr(line, " answer ") == NULL || strchr(line, '\n') == NULL)
		return false;
	for (word = strtok_r(line, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest))
		if (is_stored(ended, word))
			return true;
	return false;
}

bool ended_is_known(const struct bout *bout, const struct ended *ended)
{
	bool known = false;

	for (int i = 0; i < fleet_size(bout->stage->fleet) && !known; i++) {
		char path[PATH_MAX];
		char *line = NULL;
		size_t room = 0;
		FILE *file;

		trace_path(bout, i, path);
		file = fopen(path, "re");
		if (file != NULL && fseeko(file, ended->offsets[i], SEEK_SET) == 0)
			while (!known && getline(&line, &room, file) > 0)
				known = tells(ended, line);
		free(line);
		if (file != NULL)
			fclose(file);
	}
	return known;
}
