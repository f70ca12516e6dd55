#include "agent/stray.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/environment.h"

enum { FILE_BYTES_MAX = 4 * 1024 * 1024, FILE_CHUNK = 16 * 1024, PATH_SIZE = 64 };
enum { FLAG_EXITING = 0x4 }; /* PF_EXITING in the flags of /proc/PID/stat */

/* --- reading /proc ----------------------------------------------------------------------------- */

/* Reads all of a file into finder->scratch, and a NUL behind it. */
static int read_all(struct stray_finder *finder, int fd)
{
	struct buffer *to = &finder->scratch;
	ssize_t got;

	to->start = 0;
	to->end = 0;
	do {
		char *room = buffer_reserve(to, FILE_CHUNK + 1, NULL);

		if (room == NULL)
			return -1;
		got = pread(fd, room, FILE_CHUNK, (off_t)to->end);
		if (got > 0)
			to->end += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	to->data[to->end] = '\0';
	return got < 0 ? -1 : 0;
}

static int read_proc(struct stray_finder *finder, pid_t pid, const char *name)
{
	char path[PATH_SIZE];
	int status;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	status = read_all(finder, fd);
	close(fd);
	return status;
}

/* What follows the program's name in /proc/PID/stat, which may itself hold anything. */
struct stat_fields {
	char state;
	int parent;
	int session;
	unsigned flags;
};

static int read_stat(struct stray_finder *finder, pid_t pid, struct stat_fields *fields)
{
	const char *behind;

	if (read_proc(finder, pid, "stat") != 0)
		return -1;
	behind = strrchr(finder->scratch.data, ')');
	if (behind == NULL || sscanf(behind, ") %c %d %*d %d %*d %*d %u", &fields->state,
				     &fields->parent, &fields->session, &fields->flags) != 4)
		return -1;
	return 0;
}

/* --- the children ------------------------------------------------------------------------------ */

int stray_open(struct stray_finder *finder, struct error *err)
{
	char path[PATH_SIZE];

	*finder = (struct stray_finder){ .self = getpid() };
	buffer_init(&finder->list, FILE_BYTES_MAX);
	buffer_init(&finder->scratch, FILE_BYTES_MAX);
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", finder->self);
	finder->children_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (finder->children_fd < 0 && access("/proc/self/stat", R_OK) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot read /proc");
	return 0;
}

void stray_close(struct stray_finder *finder)
{
	if (finder->children_fd >= 0)
		close(finder->children_fd);
	buffer_free(&finder->list);
	buffer_free(&finder->scratch);
}

static int add_pid(struct stray_finder *finder, pid_t pid, struct error *err)
{
	return buffer_append(&finder->list, &pid, sizeof(pid), err);
}

static int list_kernel(struct stray_finder *finder, struct error *err)
{
	char *at;
	char *end;

	if (read_all(finder, finder->children_fd) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot list the children");
	for (at = finder->scratch.data;; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			return 0;
		if (add_pid(finder, (pid_t)pid, err) != 0)
			return -1;
	}
}

/* For kernels that do not list the children of a process. */
static int list_all(struct stray_finder *finder, struct error *err)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int status = 0;

	if (proc == NULL)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot list /proc");
	while (status == 0 && (entry = readdir(proc)) != NULL) {
		struct stat_fields fields;
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (isdigit((unsigned char)entry->d_name[0]) &&
		    read_stat(finder, pid, &fields) == 0 && fields.parent == finder->self)
			status = add_pid(finder, pid, err);
	}
	closedir(proc);
	return status;
}

static int list_children(struct stray_finder *finder, struct error *err)
{
	finder->list.start = 0;
	finder->list.end = 0;
	return finder->children_fd >= 0 ? list_kernel(finder, err) : list_all(finder, err);
}

/* --- whose they are ---------------------------------------------------------------------------- */

enum owner_kind {
	OWNER_RUN,     /* of this roster */
	OWNER_GONE,    /* it tells of a run that this roster does not have */
	OWNER_UNKNOWN, /* it does not tell */
	OWNER_DYING,   /* it is past telling; its death will wake the loop */
};

/* The value of a variable in the environment in finder->scratch, or NULL. */
static const char *find_variable(const struct stray_finder *finder, const char *key)
{
	const char *at = finder->scratch.data;
	const char *end = at + finder->scratch.end;
	size_t length = strlen(key);

	for (; at < end; at += strlen(at) + 1) {
		if (strncmp(at, key, length) == 0 && at[length] == '=')
			return at + length + 1;
	}
	return NULL;
}

static bool read_claim(struct stray_finder *finder, pid_t pid, int64_t *job, struct uuid *claim)
{
	const char *job_text;
	const char *claim_text;

	if (read_proc(finder, pid, "environ") != 0)
		return false;
	claim_text = find_variable(finder, ENVIRONMENT_PROCESS_ID);
	if (claim_text != NULL && uuid_read(claim_text, claim) == 0) {
		*job = 0; /* a process of a service has no job */
		return true;
	}
	job_text = find_variable(finder, ENVIRONMENT_JOB_ID);
	claim_text = find_variable(finder, ENVIRONMENT_CLAIM_ID);
	if (job_text == NULL || claim_text == NULL || uuid_read(claim_text, claim) != 0)
		return false;
	*job = strtoll(job_text, NULL, 10);
	return true;
}

static struct run *find_session(const struct roster_list *list, pid_t session)
{
	struct run *run;

	for (run = TAILQ_FIRST(list); run != NULL; run = TAILQ_NEXT(run, link)) {
		if (run->pid == session)
			return run;
	}
	return NULL;
}

/* A process that hides its environment may still be in the session of its run. */
static enum owner_kind find_by_stat(struct stray_finder *finder, const struct roster *roster,
				    pid_t pid, struct run **run)
{
	struct stat_fields fields;

	if (read_stat(finder, pid, &fields) != 0)
		return OWNER_UNKNOWN;
	if (fields.state == 'Z' || fields.state == 'X' || (fields.flags & FLAG_EXITING) != 0)
		return OWNER_DYING;
	*run = find_session(&roster->running, fields.session);
	if (*run == NULL)
		*run = find_session(&roster->clearing, fields.session);
	return *run == NULL ? OWNER_UNKNOWN : OWNER_RUN;
}

static enum owner_kind find_owner(struct stray_finder *finder, const struct roster *roster,
				  pid_t pid, struct run **run)
{
	struct uuid claim;
	int64_t job;

	if (!read_claim(finder, pid, &job, &claim))
		return find_by_stat(finder, roster, pid, run);
	*run = roster_by_claim(roster, job, claim);
	return *run == NULL ? OWNER_GONE : OWNER_RUN;
}

/* --- sweeping ---------------------------------------------------------------------------------- */

static void mark_all(const struct roster *roster, bool has_strays)
{
	struct run *run;

	for (run = TAILQ_FIRST(&roster->clearing); run != NULL; run = TAILQ_NEXT(run, link))
		run->has_strays = has_strays;
}

static void sweep_one(struct stray_finder *finder, const struct roster *roster,
		      enum stray_mode mode, pid_t pid)
{
	struct run *run = NULL;

	switch (find_owner(finder, roster, pid, &run)) {
	case OWNER_RUN:
		if (run->state < RUN_KILLING)
			return;
		run->has_strays = true;
		break;
	case OWNER_GONE:
		break;
	case OWNER_UNKNOWN:
		if (mode == STRAY_OF_ENDED)
			return;
		mark_all(roster, true);
		break;
	case OWNER_DYING:
		mark_all(roster, true);
		return;
	}
	kill(pid, SIGKILL);
}

int stray_sweep(struct stray_finder *finder, const struct roster *roster, enum stray_mode mode,
		struct error *err)
{
	size_t count;

	if (list_children(finder, err) != 0)
		return -1;
	mark_all(roster, false);
	count = buffer_length(&finder->list) / sizeof(pid_t);
	for (size_t i = 0; i < count; i++) {
		pid_t pid;

		memcpy(&pid, finder->list.data + i * sizeof(pid), sizeof(pid));
		if (mode == STRAY_AND_MAINS)
			kill(pid, SIGKILL);
		else if (roster_by_pid(roster, pid) == NULL)
			sweep_one(finder, roster, mode, pid);
	}
	return 0;
}
