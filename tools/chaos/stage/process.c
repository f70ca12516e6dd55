#include "tools/chaos/stage/process.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

enum { PATH_SIZE = 320, STAT_SIZE = 1024, BEGAN_FIELD = 19 };

/* What follows "PID (NAME) " in /proc/PID/stat: the state and so on. NULL: there is no such process. */
static const char *read_stat(pid_t pid, char text[static STAT_SIZE])
{
	char path[PATH_SIZE];
	FILE *file;
	char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return NULL;
	text[fread(text, 1, STAT_SIZE - 1, file)] = '\0';
	fclose(file);
	end = strrchr(text, ')');
	return end == NULL || end[1] == '\0' ? NULL : end + 2;
}

char process_state(pid_t pid)
{
	char text[STAT_SIZE];
	const char *fields = pid > 0 ? read_stat(pid, text) : NULL;

	return fields == NULL || *fields == 'X' ? '\0' : *fields;
}

bool process_stands(pid_t pid)
{
	char state = process_state(pid);

	return state == 'T' || state == 'D';
}

bool process_lives(pid_t pid)
{
	char state = process_state(pid);

	return state != '\0' && state != 'Z';
}

uint64_t process_began(pid_t pid)
{
	char text[STAT_SIZE];
	const char *fields = pid > 0 ? read_stat(pid, text) : NULL;

	for (int i = 0; fields != NULL && i < BEGAN_FIELD; i++) {
		fields = strchr(fields, ' ');
		fields = fields == NULL ? NULL : fields + 1;
	}
	return fields == NULL ? 0 : strtoull(fields, NULL, 10);
}

/* The children of one thread. */
static size_t read_thread(pid_t pid, const char *thread, pid_t *pids, size_t room)
{
	char path[PATH_SIZE];
	size_t count = 0;
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, thread);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (count < room && fscanf(file, "%d", &child) == 1)
		pids[count++] = (pid_t)child;
	fclose(file);
	return count;
}

static size_t read_children(pid_t pid, pid_t *pids, size_t room)
{
	char path[PATH_SIZE];
	const struct dirent *entry;
	size_t count = 0;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	while (threads != NULL && (entry = readdir(threads)) != NULL)
		if (entry->d_name[0] != '.')
			count += read_thread(pid, entry->d_name, pids + count, room - count);
	if (threads != NULL)
		closedir(threads);
	return count;
}

size_t process_tree(pid_t pid, pid_t *pids, size_t room)
{
	size_t count = 0;

	if (pid <= 0 || room == 0)
		return 0;
	pids[count++] = pid;
	for (size_t i = 0; i < count; i++)
		count += read_children(pids[i], pids + count, room - count);
	return count;
}

static bool is_named(pid_t pid, const char *name)
{
	char path[PATH_SIZE];
	char comm[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fgets(comm, sizeof(comm), file) == NULL)
		comm[0] = '\0';
	fclose(file);
	comm[strcspn(comm, "\n")] = '\0';
	return strcmp(comm, name) == 0;
}

pid_t process_parent(pid_t pid, const char *name)
{
	char text[STAT_SIZE];
	const char *fields = pid > 0 ? read_stat(pid, text) : NULL;
	pid_t parent = fields == NULL ? 0 : (pid_t)strtol(fields + 1, NULL, 10);

	return parent > 0 && is_named(parent, name) ? parent : 0;
}

pid_t process_child(pid_t parent, const char *name)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = parent > 0 ? read_children(parent, pids, PROCESS_TREE_MAX) : 0;

	for (size_t i = 0; i < count; i++)
		if (is_named(pids[i], name) && process_lives(pids[i]))
			return pids[i];
	return 0;
}

bool process_await_end(pid_t pid, int64_t timeout_ms)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int64_t left_ms;
	int seen = 0;

	if (end.fd < 0)
		return !process_lives(pid);
	while (seen == 0 && (left_ms = deadline_ms - clock_monotonic_ms()) >= 0) {
		seen = poll(&end, 1, (int)(left_ms < INT32_MAX ? left_ms : INT32_MAX));
		if (seen < 0 && errno == EINTR)
			seen = 0;
	}
	close(end.fd);
	return seen == 1;
}
