#include "tools/chaos/faults/run_begun.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/chaos/stage/stage.h"

pid_t run_begun(const struct bout *bout, int64_t job)
{
	char path[PATH_MAX];
	char *line = NULL;
	size_t room = 0;
	pid_t pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/effect.log", bout->stage->scratch);
	file = fopen(path, "re");
	while (file != NULL && pid == 0 && getline(&line, &room, file) > 0) {
		long long found;
		int process;

		if (sscanf(line, "%*s begin %lld %*s %*s %d", &found, &process) == 2 &&
		    found == job)
			pid = (pid_t)process;
	}
	free(line);
	if (file != NULL)
		fclose(file);
	return pid;
}
