#include "agent/program.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/environment.h"

enum { GROUPS_FIRST = 16 };

static int check_plugin(const char *path, struct error *err)
{
	struct stat file;

	if (path == NULL || path[0] != '/')
		return error_set(err, ERROR_INPUT, "no absolute path of a plugin is configured");
	if (stat(path, &file) != 0)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot load %s", path);
	return S_ISREG(file.st_mode) ? 0 : error_set(err, ERROR_INPUT, "%s is no file", path);
}

static int check_program(const char *path, struct error *err)
{
	struct stat file;

	if (path == NULL)
		return error_set(err, ERROR_INPUT, "no program is configured");
	if (path[0] != '/')
		return error_set(err, ERROR_INPUT, "%s is not an absolute path", path);
	if (stat(path, &file) != 0)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot execute %s", path);
	if (!S_ISREG(file.st_mode))
		return error_set(err, ERROR_INPUT, "cannot execute %s: not a file", path);
	if ((file.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		return error_set(err, ERROR_INPUT, "cannot execute %s: not executable", path);
	return 0;
}

static int check_file(const struct handler *handler, struct error *err)
{
	switch (handler->kind) {
	case HANDLER_COMMAND:
	case HANDLER_SERVICE:
		return check_program(handler->argv == NULL ? NULL : handler->argv[0], err);
	case HANDLER_PLUGIN:
		return check_plugin(handler->path, err);
	case HANDLER_SQL:
		break;
	}
	return 0;
}

static int find_groups(struct program *program, const struct passwd *user, struct error *err)
{
	int size = GROUPS_FIRST;

	for (;;) {
		int count = size;
		gid_t *groups = reallocarray(program->groups, (size_t)size, sizeof(gid_t));

		if (groups == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for the groups of %s",
					 user->pw_name);
		program->groups = groups;
		if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) >= 0) {
			program->group_count = count;
			return 0;
		}
		size = count > size ? count : size * 2;
	}
}

static int find_user(struct program *program, const struct passwd **found, struct error *err)
{
	const char *name = program->handler->user;
	const struct passwd *user;

	if (name == NULL) {
		*found = getpwuid(geteuid());
		return 0;
	}
	errno = 0;
	user = getpwnam(name);
	if (user == NULL && errno != 0)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot look up the user %s", name);
	if (user == NULL)
		return error_set(err, ERROR_INPUT, "there is no user %s", name);
	*found = user;
	if (geteuid() != 0 && user->pw_uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return error_set(err, ERROR_INPUT, "cannot run as %s: the agent is not root", name);
	program->switches_user = true;
	program->uid = user->pw_uid;
	program->gid = user->pw_gid;
	return find_groups(program, user, err);
}

struct program *program_make(struct handler *handler, bool owns_texts, struct error *err)
{
	struct program *program = calloc(1, sizeof(*program));
	struct handler *copy = calloc(1, sizeof(*copy));

	if (program == NULL || copy == NULL) {
		free(program);
		free(copy);
		error_set(err, ERROR_FATAL, "out of memory for a handler");
		return NULL;
	}
	*copy = *handler;
	if (owns_texts)
		*handler = (struct handler){ 0 };
	program->handler = copy;
	program->owns_texts = owns_texts;
	program->users = 1;
	return program;
}

struct program *program_hold(struct program *program)
{
	if (program != NULL)
		program->users++;
	return program;
}

void program_drop(struct program *program)
{
	if (program == NULL || --program->users > 0)
		return;
	environment_free_base(program->environment);
	free(program->groups);
	if (program->owns_texts)
		handler_fini(program->handler);
	free(program->handler);
	free(program);
}

int program_resolve(struct program *program, struct error *err)
{
	const struct passwd *user = NULL;

	program->resolved = true;
	program->broken = true;
	if (find_user(program, &user, err) != 0 || check_file(program->handler, err) != 0)
		return -1;
	program->environment = environment_base(program->handler, user, err);
	if (program->environment == NULL)
		return -1;
	program->broken = false;
	return 0;
}
