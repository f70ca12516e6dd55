#include "base/children.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

/* The children of one thread. */
static size_t read_thread(const char *thread, pid_t *pids, size_t room)
{
	char path[64];
	size_t count = 0;
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/children", thread);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (count < room && fscanf(file, "%d", &pid) == 1)
		pids[count++] = (pid_t)pid;
	fclose(file);
	return count;
}

size_t children_list(pid_t *pids, size_t room)
{
	DIR *threads = opendir("/proc/self/task");
	const struct dirent *entry;
	size_t count = 0;

	if (threads == NULL)
		return 0;
	while ((entry = readdir(threads)) != NULL)
		if (entry->d_name[0] != '.')
			count += read_thread(entry->d_name, pids + count, room - count);
	closedir(threads);
	return count;
}
