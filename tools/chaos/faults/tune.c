#include "tools/chaos/faults/tune.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/chaos/stage/server.h"

enum { RELOADS = 3, BACK_MS = 30000 };

#define INCLUDE "include_dir = 'tuned'"

static bool is_included(FILE *file)
{
	char line[256];

	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, INCLUDE, strlen(INCLUDE)) == 0)
			return true;
	return false;
}

/* The folder is made, and named in postgresql.conf, the first time. */
static int prepare(const struct server *server, struct error *err)
{
	char path[PATH_MAX];
	FILE *file;
	int status = 0;

	snprintf(path, sizeof(path), "%s/tuned", server_data(server));
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", path);
	snprintf(path, sizeof(path), "%s/postgresql.conf", server_data(server));
	file = fopen(path, "a+e");
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot open %s", path);
	if (!is_included(file) && fputs(INCLUDE "\n", file) < 0)
		status = -1;
	if (fclose(file) != 0 || status != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	return 0;
}

static void tuned_path(const struct server *server, const char *name, char *path)
{
	snprintf(path, PATH_MAX, "%s/tuned/%s.conf", server_data(server), name);
}

/* A server that is just recovering from another fault is waited for. */
static int reload(struct server *server, struct error *err)
{
	for (int round = 0; round < RELOADS; round++)
		if (server_await(server, BACK_MS, err) == 0 &&
		    server_run(server, "reload", NULL, 0, NULL, err) == 0)
			return 0;
	return -1;
}

int tune_set(struct server *server, const char *name, const char *lines, struct error *err)
{
	char path[PATH_MAX];
	FILE *file;
	int status;

	if (prepare(server, err) != 0)
		return -1;
	tuned_path(server, name, path);
	file = fopen(path, "we");
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot open %s", path);
	status = fputs(lines, file);
	if (fclose(file) != 0 || status < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	return reload(server, err);
}

int tune_unset(struct server *server, const char *name, struct error *err)
{
	char path[PATH_MAX];

	tuned_path(server, name, path);
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot remove %s", path);
	return reload(server, err);
}
