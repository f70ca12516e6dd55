#include "tools/locum/runner.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { DRAIN_MS = 60000, RELEASE_MS = 20000, COMMAND_LINE_MAX = 4096 };

#define MACHINE_CONFIG "/etc/locum/locumd.conf"

static const char STARTER[] =
	"# The dispatcher of \"locum up\". Yours to change; locumd.conf(5) explains it.\n\n"
	"agent \"main\" {\n"
	"	size = 4\n"
	"	queues = {\"default\"}\n"
	"%s"
	"}\n\n"
	"# Does nothing, successfully.\n"
	"handler \"noop\" {\n"
	"	kind = \"command\"\n"
	"	argv = {\"/bin/true\"}\n"
	"}\n\n"
	"# Gives the payload back as the result.\n"
	"handler \"echo\" {\n"
	"	kind = \"command\"\n"
	"	argv = {\"/bin/sh\", \"-c\", \"cat >&3\"}\n"
	"}\n";

/* Whether the process's arguments name this place. */
static bool serves(int pid, const struct place *place)
{
	char path[64];
	char line[COMMAND_LINE_MAX];
	size_t got;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	got = fread(line, 1, sizeof(line), file);
	fclose(file);
	return memmem(line, got, "locumd", 6) != NULL &&
	       memmem(line, got, place->state, strlen(place->state)) != NULL;
}

int runner_pid(const struct place *place)
{
	FILE *file = fopen(place->pid, "re");
	int pid = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &pid) != 1 || pid <= 0 || !serves(pid, place))
		pid = 0;
	fclose(file);
	return pid;
}

/* The user's own configuration if there is one; the caller's to free. */
static char *user_config(void)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char *path = NULL;
	int length = -1;

	if (config != NULL && config[0] == '/')
		length = asprintf(&path, "%s/locum/locumd.conf", config);
	else if (home != NULL && home[0] == '/')
		length = asprintf(&path, "%s/.config/locum/locumd.conf", home);
	if (length < 0)
		return NULL;
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* Written under another name first, so that a cut-off run leaves no half of it. */
static int write_starter(const struct place *place, struct error *err)
{
	char path[PATH_MAX];
	FILE *file;
	int written;

	snprintf(path, sizeof(path), "%s.new", place->config);
	file = fopen(path, "we");
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	written = fprintf(file, STARTER, place->root ? "	user = \"nobody\"\n" : "");
	if (fclose(file) != 0 || written < 0 || rename(path, place->config) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", place->config);
	return 0;
}

static char *copy(const char *text, struct error *err)
{
	char *made = strdup(text);

	if (made == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	return made;
}

char *runner_config(const struct place *place, const char *given, struct error *err)
{
	char *config;

	if (given != NULL)
		return copy(given, err);
	config = user_config();
	if (config != NULL)
		return config;
	if (access(MACHINE_CONFIG, F_OK) == 0)
		return copy(MACHINE_CONFIG, err);
	if (access(place->config, F_OK) != 0 && write_starter(place, err) != 0)
		return NULL;
	return copy(place->config, err);
}

static int note_pid(const struct place *place, struct error *err)
{
	FILE *file = fopen(place->pid, "we");

	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", place->pid);
	fprintf(file, "%d\n", (int)getpid());
	if (fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", place->pid);
	return 0;
}

int runner_become(const struct place *place, const char *program, const char *config,
		  const char *conninfo, struct error *err)
{
	if (note_pid(place, err) != 0)
		return -1;
	execl(program, "locumd", "-c", config, "-d", conninfo, "--state-dir", place->state, NULL);
	return error_set_errno(err, ERROR_FATAL, errno, "cannot run %s", program);
}

/* Asks the process to end; returns 1 when it did in time, else 0. */
static int end_within(int pidfd, int ms)
{
	struct pollfd polled = { .fd = pidfd, .events = POLLIN };

	if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) != 0 && errno == ESRCH)
		return 1;
	return poll(&polled, 1, ms) == 1;
}

int runner_stop(int pid, struct error *err)
{
	int pidfd = pidfd_open(pid, 0);
	int ended;

	if (pidfd < 0 && errno == ESRCH)
		return 0;
	if (pidfd < 0)
		return error_set_errno(err, ERROR_FATAL, errno,
				       "cannot stop the dispatcher, pid %d", pid);
	ended = end_within(pidfd, DRAIN_MS) || end_within(pidfd, RELEASE_MS);
	close(pidfd);
	return ended ? 0 : error_set(err, ERROR_FATAL, "the dispatcher, pid %d, does not end", pid);
}
