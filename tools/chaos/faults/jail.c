#include "tools/chaos/faults/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

#define TOP "/sys/fs/cgroup"
enum { FILE_PATH_SIZE = JAIL_PATH_SIZE + 64, LINE_SIZE = 256, ROUNDS = 50 };

int jail_possible(const char *controller, struct error *err)
{
	char path[FILE_PATH_SIZE];

	snprintf(path, sizeof(path), TOP "/%s/cgroup.procs", controller);
	if (geteuid() != 0)
		return error_set(err, ERROR_FATAL, "only root can make control groups");
	if (access(path, W_OK) != 0)
		return error_set(err, ERROR_FATAL,
				 "there is no control group of version 1 for \"%s\"", controller);
	return 0;
}

/* --- files -------------------------------------------------------------------------------------- */

static int write_file(const char *folder, const char *file, const char *value)
{
	char path[FILE_PATH_SIZE];
	ssize_t written;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	written = write(fd, value, strlen(value));
	close(fd);
	return written > 0 ? 0 : -1;
}

int jail_set(const struct jail *jail, const char *file, const char *value, struct error *err)
{
	if (write_file(jail->path, file, value) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write \"%s\" to %s/%s",
				       value, jail->path, file);
	return 0;
}

static FILE *open_file(const struct jail *jail, const char *file)
{
	char path[FILE_PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", jail->path, file);
	return fopen(path, "re");
}

bool jail_says(const struct jail *jail, const char *file, const char *word)
{
	FILE *from = open_file(jail, file);
	char line[LINE_SIZE] = "";

	if (from == NULL)
		return false;
	if (fgets(line, sizeof(line), from) == NULL)
		line[0] = '\0';
	fclose(from);
	return strncmp(line, word, strlen(word)) == 0;
}

int64_t jail_count(const struct jail *jail, const char *file, const char *word)
{
	FILE *from = open_file(jail, file);
	size_t length = strlen(word);
	char line[LINE_SIZE];
	int64_t count = -1;

	while (from != NULL && count < 0 && fgets(line, sizeof(line), from) != NULL)
		if (strncmp(line, word, length) == 0 && line[length] == ' ')
			count = strtoll(line + length, NULL, 10);
	if (from != NULL)
		fclose(from);
	return count;
}

/* --- who is in it ------------------------------------------------------------------------------- */

int jail_make(struct jail *jail, const struct bout *bout, const char *controller, struct error *err)
{
	char path[JAIL_PATH_SIZE];

	snprintf(path, sizeof(path), TOP "/%s/locum-chaos-%d-%d", controller, (int)getpid(),
		 bout->number);
	if (undo_add(bout->stage->undo, UNDO_CGROUP, path, err) != 0)
		return -1;
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", path);
	memcpy(jail->path, path, sizeof(path));
	return 0;
}

static int move(const char *folder, pid_t pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return write_file(folder, "cgroup.procs", text) == 0 || errno == ESRCH ? 0 : -1;
}

int jail_take(const struct jail *jail, pid_t pid, struct error *err)
{
	if (move(jail->path, pid) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot move %d to %s", (int)pid,
				       jail->path);
	return 0;
}

/* Twice: a child may be born outside before its parent is in. */
int jail_take_tree(const struct jail *jail, pid_t pid, struct error *err)
{
	pid_t pids[PROCESS_TREE_MAX];

	for (int round = 0; round < 2; round++) {
		size_t count = process_tree(pid, pids, PROCESS_TREE_MAX);

		for (size_t i = 0; i < count; i++)
			if (jail_take(jail, pids[i], err) != 0)
				return -1;
	}
	return 0;
}

/* How many were there. */
static int let_out(const struct jail *jail, const char *parent)
{
	FILE *procs = open_file(jail, "cgroup.procs");
	int count = 0;
	int pid;

	while (procs != NULL && fscanf(procs, "%d", &pid) == 1) {
		move(parent, (pid_t)pid);
		count++;
	}
	if (procs != NULL)
		fclose(procs);
	return count;
}

/* Whoever is in it when the ledger undoes it is ended. */
int jail_open(struct jail *jail, const struct bout *bout, struct error *err)
{
	char parent[JAIL_PATH_SIZE];
	int status;

	if (jail->path[0] == '\0')
		return 0;
	snprintf(parent, sizeof(parent), "%s", jail->path);
	*strrchr(parent, '/') = '\0';
	for (int round = 0; round < ROUNDS && let_out(jail, parent) > 0; round++)
		continue;
	status = undo_now(bout->stage->undo, UNDO_CGROUP, jail->path, err);
	jail->path[0] = '\0';
	return status;
}
