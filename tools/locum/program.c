#include "tools/locum/program.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VERSION_LEAST = 15, NUMBER_SIZE = 32 };

static bool is_program(const char *folder, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path) &&
	       access(path, X_OK) == 0;
}

/* The first folder of PATH that has the program; the caller's to free. NULL: there is none. */
static char *search_path(const char *name)
{
	const char *path = getenv("PATH");

	while (path != NULL && *path != '\0') {
		size_t length = strcspn(path, ":");
		char *folder = strndup(path, length);

		if (folder != NULL && folder[0] == '/' && is_program(folder, name))
			return folder;
		free(folder);
		path += length + (path[length] == ':');
	}
	return NULL;
}

static char *own_folder(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (length <= 0)
		return NULL;
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	return strdup(path);
}

char *program_sister(const char *name, struct error *err)
{
	char *folder = own_folder();
	char *path = NULL;

	if (folder == NULL || !is_program(folder, name)) {
		free(folder);
		folder = search_path(name);
	}
	if (folder == NULL)
		error_set(err, ERROR_FATAL, "the program %s is neither beside locum nor in PATH",
			  name);
	else if (asprintf(&path, "%s/%s", folder, name) < 0)
		error_set(err, ERROR_RETRY, "out of memory");
	free(folder);
	return path;
}

static bool has_server(const char *folder)
{
	return is_program(folder, "initdb") && is_program(folder, "pg_ctl") &&
	       is_program(folder, "postgres");
}

/* The number in /usr/lib/postgresql/NUMBER/bin. */
static int folder_version(const char *folder)
{
	static const char TOP[] = "/usr/lib/postgresql/";

	return strncmp(folder, TOP, strlen(TOP)) == 0 ? (int)strtol(folder + strlen(TOP), NULL, 10)
						      : 0;
}

/* Debian's folders: the newest, or the one of that version. */
static char *search_debian(int version)
{
	glob_t found;
	const char *best = NULL;
	int best_version = VERSION_LEAST - 1;
	char *folder;

	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
		return NULL;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int here = folder_version(found.gl_pathv[i]);

		if (has_server(found.gl_pathv[i]) && (version == 0 || here == version) &&
		    here > best_version) {
			best = found.gl_pathv[i];
			best_version = here;
		}
	}
	folder = best == NULL ? NULL : strdup(best);
	globfree(&found);
	return folder;
}

static char *search_server_path(void)
{
	char *folder = search_path("initdb");

	if (folder != NULL && has_server(folder))
		return folder;
	free(folder);
	return NULL;
}

char *program_server_folder(int version, struct error *err)
{
	char *folder = NULL;

	if (version != 0)
		folder = search_debian(version);
	if (folder == NULL)
		folder = search_server_path();
	if (folder == NULL)
		folder = search_debian(0);
	if (folder == NULL)
		error_set(
			err, ERROR_FATAL,
			"PostgreSQL's server programs (initdb, pg_ctl) of version %d or newer are "
			"neither in PATH nor below /usr/lib/postgresql",
			VERSION_LEAST);
	return folder;
}

/* Puts setpriv before the program, which makes it another user's without a shell. Numbers live in the
 * caller's memory. */
static int become(const char *user, char numbers[2][NUMBER_SIZE], const char **argv, int *used,
		  struct error *err)
{
	const struct passwd *entry = getpwnam(user);

	if (entry == NULL)
		return error_set(err, ERROR_FATAL, "there is no user %s to run PostgreSQL as",
				 user);
	snprintf(numbers[0], NUMBER_SIZE, "--reuid=%u", entry->pw_uid);
	snprintf(numbers[1], NUMBER_SIZE, "--regid=%u", entry->pw_gid);
	argv[(*used)++] = "setpriv";
	argv[(*used)++] = numbers[0];
	argv[(*used)++] = numbers[1];
	argv[(*used)++] = "--init-groups";
	argv[(*used)++] = "--reset-env";
	argv[(*used)++] = "--";
	return 0;
}

/* Signals that this process blocks must reach the child. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;

	sigemptyset(&none);
	if (posix_spawnattr_setsigmask(attributes, &none) != 0)
		return -1;
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
}

static int set_files(posix_spawn_file_actions_t *files, const char *output)
{
	if (posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
	    posix_spawn_file_actions_addopen(files, STDOUT_FILENO, output,
					     O_WRONLY | O_CREAT | O_APPEND, 0600) != 0 ||
	    posix_spawn_file_actions_adddup2(files, STDOUT_FILENO, STDERR_FILENO) != 0 ||
	    posix_spawn_file_actions_addchdir_np(files, "/") != 0)
		return -1;
	return posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
}

static int start(const struct program_run *run, const char *const *argv, pid_t *pid,
		 struct error *err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int failure = ENOMEM;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	/* posix_spawn takes the strings for its own only by its type. */
	if (set_files(&files, run->output) == 0 && set_attributes(&attributes) == 0)
		failure = posix_spawnp(pid, argv[0], &files, &attributes,
				       (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	if (failure != 0)
		return error_set_errno(err, ERROR_FATAL, failure, "cannot run %s", argv[0]);
	return 0;
}

static int await(pid_t pid, int *code, struct error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_set_errno(err, ERROR_FATAL, errno,
					       "cannot wait for a program");
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

int program_run(const struct program_run *run, int *code, struct error *err)
{
	const char *argv[PROGRAM_ARGS_MAX];
	char numbers[2][NUMBER_SIZE];
	int used = 0;
	pid_t pid;

	if (run->user != NULL && geteuid() == 0 &&
	    become(run->user, numbers, argv, &used, err) != 0)
		return -1;
	for (size_t i = 0; run->argv[i] != NULL; i++)
		argv[used++] = run->argv[i];
	argv[used] = NULL;
	return start(run, argv, &pid, err) != 0 ? -1 : await(pid, code, err);
}
