#include "agent/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PREFIX "locum-agent-"

enum { LINE_SIZE = 8192, NAME_SIZE = 64 };
enum { EMPTY_TRIES = 20, EMPTY_WAIT_MS = 100 };

/* --- where ------------------------------------------------------------------------------------- */

/* The first line of the file from which pick takes something. */
typedef bool pick_line(const char *line, char *to);

static bool find_line(const char *file, pick_line *pick, char *to)
{
	char line[LINE_SIZE];
	FILE *lines = fopen(file, "re");
	bool found = false;

	while (lines != NULL && !found && fgets(line, sizeof(line), lines) != NULL)
		found = pick(line, to);
	if (lines != NULL)
		fclose(lines);
	return found;
}

/* Of "ID PARENT DEVICE ROOT PLACE OPTIONS … - cgroup2 …". What is mounted in part does not count. */
static bool pick_mount(const char *line, char *to)
{
	return strstr(line, " - cgroup2 ") != NULL && sscanf(line, "%*s %*s %*s / %2047s", to) == 1;
}

static bool pick_own(const char *line, char *to)
{
	return sscanf(line, "0::%2047[^\n]", to) == 1 && strncmp(to, "/..", 3) != 0;
}

static bool is_delegated(const char *path)
{
	char mark[2] = "";

	return (getxattr(path, "trusted.delegate", mark, sizeof(mark)) > 0 ||
		getxattr(path, "user.delegate", mark, sizeof(mark)) > 0) &&
	       mark[0] == '1';
}

static bool write_to(int directory, const char *file, const char *text)
{
	int fd = openat(directory, file, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

static void hand_down(int directory)
{
	write_to(directory, "cgroup.subtree_control", "+memory");
	write_to(directory, "cgroup.subtree_control", "+pids");
}

/* The parent's directory, when that is the service's own. */
static int open_parent(char *path)
{
	char *slash = strrchr(path, '/');
	int fd;

	*slash = '\0';
	fd = is_delegated(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		*slash = '/';
	else
		hand_down(fd);
	return fd;
}

static int open_base(char path[static CGROUP_PATH_SIZE], struct error *err)
{
	char mount[LINE_SIZE];
	char own[LINE_SIZE];
	int fd;

	if (!find_line("/proc/self/mountinfo", pick_mount, mount) ||
	    !find_line("/proc/self/cgroup", pick_own, own))
		return error_set(err, ERROR_INPUT, "there is no cgroup of version 2 here");
	snprintf(path, CGROUP_PATH_SIZE, "%.2047s%.2047s", mount, strcmp(own, "/") == 0 ? "" : own);
	fd = open_parent(path);
	if (fd < 0)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) != 0) {
		error_set_errno(err, ERROR_INPUT, errno, "cannot use %.200s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* --- what a killed agent left ------------------------------------------------------------------ */

/* The folders in a folder; the caller closes it. */
static DIR *list(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listed = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && listed == NULL)
		close(fd);
	return listed;
}

/* Nothing is killed: what lives in a group keeps it from being removed. */
static void remove_with_groups(int base, const char *name)
{
	DIR *listed = list(base, name);
	struct dirent *entry;

	while (listed != NULL && (entry = readdir(listed)) != NULL) {
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			unlinkat(dirfd(listed), entry->d_name, AT_REMOVEDIR);
	}
	if (listed != NULL)
		closedir(listed);
	unlinkat(base, name, AT_REMOVEDIR);
}

/* A process that nobody has reaped yet is dead, too. */
static bool is_dead(pid_t pid)
{
	struct pollfd ended = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool dead;

	if (ended.fd < 0)
		return errno == ESRCH;
	dead = poll(&ended, 1, 0) == 1;
	close(ended.fd);
	return dead;
}

static bool is_left(const char *name)
{
	pid_t pid;

	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0)
		return false;
	pid = (pid_t)strtol(name + sizeof(PREFIX) - 1, NULL, 10);
	return pid == getpid() || is_dead(pid);
}

static void clear_away(int base)
{
	DIR *listed = list(base, ".");
	struct dirent *entry;

	while (listed != NULL && (entry = readdir(listed)) != NULL) {
		if (is_left(entry->d_name))
			remove_with_groups(base, entry->d_name);
	}
	if (listed != NULL)
		closedir(listed);
}

/* Waits until nothing lives in a group, for so many rounds at most. Returns whether that is so. */
static bool await_empty(int base, const char *group, int rounds)
{
	char path[NAME_SIZE * 5];
	char events[256];
	struct pollfd changed = { .events = POLLPRI };
	bool empty = false;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/cgroup.events", group);
	changed.fd = openat(base, path, O_RDONLY | O_CLOEXEC);
	if (changed.fd < 0)
		return true;
	for (;;) {
		length = pread(changed.fd, events, sizeof(events) - 1, 0);
		events[length < 0 ? 0 : length] = '\0';
		empty = strstr(events, "populated 1") == NULL;
		if (empty || rounds-- == 0)
			break;
		poll(&changed, 1, EMPTY_WAIT_MS);
	}
	close(changed.fd);
	return empty;
}

/* What stands in the name of a group after the agent's pid: whose lock the agent held. */
static void write_mark(int lock_fd, char mark[static NAME_SIZE])
{
	struct stat lock = { 0 };

	if (lock_fd >= 0 && fstat(lock_fd, &lock) != 0)
		lock = (struct stat){ 0 };
	snprintf(mark, NAME_SIZE, "-%llx-%llx", (unsigned long long)lock.st_dev,
		 (unsigned long long)lock.st_ino);
}

static bool has_mark(const char *name, const char *mark)
{
	const char *found = strchr(name + sizeof(PREFIX) - 1, '-');

	return found != NULL && strcmp(found, mark) == 0;
}

int cgroup_end_left(int lock_fd)
{
	char base_path[CGROUP_PATH_SIZE];
	char mark[NAME_SIZE];
	char path[NAME_SIZE * 5];
	struct error err;
	struct dirent *entry;
	int base = open_base(base_path, &err);
	DIR *listed = base < 0 ? NULL : list(base, ".");
	int left = 0;

	write_mark(lock_fd, mark);
	while (listed != NULL && (entry = readdir(listed)) != NULL) {
		if (!is_left(entry->d_name) || !has_mark(entry->d_name, mark))
			continue;
		snprintf(path, sizeof(path), "%s/cgroup.kill", entry->d_name);
		left += !await_empty(base, entry->d_name,
				     write_to(base, path, "1") ? EMPTY_TRIES : 0);
	}
	if (listed != NULL)
		closedir(listed);
	if (base >= 0)
		close(base);
	return left;
}

/* --- opening and closing ----------------------------------------------------------------------- */

static int enter_base(struct cgroup *cgroup, int base, const char *name, struct error *err)
{
	clear_away(base);
	if (mkdirat(base, name, 0755) != 0)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot make a cgroup in %.200s",
				       cgroup->path);
	cgroup->fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup->fd >= 0 && faccessat(cgroup->fd, "cgroup.kill", W_OK, AT_EACCESS) == 0) {
		hand_down(cgroup->fd);
		return 0;
	}
	error_set_errno(err, ERROR_INPUT, errno, "no cgroup can be killed in %.200s", cgroup->path);
	if (cgroup->fd >= 0)
		close(cgroup->fd);
	cgroup->fd = -1;
	unlinkat(base, name, AT_REMOVEDIR);
	return -1;
}

int cgroup_open(struct cgroup *cgroup, int lock_fd, struct error *err)
{
	char mark[NAME_SIZE];
	char name[NAME_SIZE * 2];
	int base;
	int status;

	*cgroup = (struct cgroup){ .fd = -1 };
	write_mark(lock_fd, mark);
	snprintf(name, sizeof(name), PREFIX "%d%s", (int)getpid(), mark);
	base = open_base(cgroup->path, err);
	if (base < 0)
		return -1;
	status = enter_base(cgroup, base, name, err);
	close(base);
	if (status == 0) {
		size_t length = strlen(cgroup->path);

		snprintf(cgroup->path + length, sizeof(cgroup->path) - length, "/%s", name);
	}
	return status;
}

void cgroup_close(struct cgroup *cgroup)
{
	if (cgroup->fd < 0)
		return;
	close(cgroup->fd);
	cgroup->fd = -1;
	remove_with_groups(AT_FDCWD, cgroup->path);
}

/* --- one group --------------------------------------------------------------------------------- */

/* Returns whether the group keeps this limit now. */
static bool set_limit(const struct cgroup *cgroup, const char *group, const char *file,
		      int64_t value)
{
	char path[NAME_SIZE];
	char text[NAME_SIZE];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	snprintf(text, sizeof(text), "%lld", (long long)value);
	return write_to(cgroup->fd, path, text);
}

static void take_limits(const struct cgroup *cgroup, const char *group,
			struct handler_limits *limits)
{
	if (limits->memory_bytes >= 0 &&
	    set_limit(cgroup, group, "memory.max", limits->memory_bytes)) {
		set_limit(cgroup, group, "memory.swap.max", 0);
		set_limit(cgroup, group, "memory.oom.group", 1);
		limits->memory_bytes = -1;
	}
	if (limits->processes >= 0 && set_limit(cgroup, group, "pids.max", limits->processes))
		limits->processes = -1;
}

uint64_t cgroup_make(struct cgroup *cgroup, struct handler_limits *limits, int *enter_fd)
{
	char group[NAME_SIZE / 2];
	char procs[NAME_SIZE];

	*enter_fd = -1;
	if (cgroup->fd < 0)
		return 0;
	snprintf(group, sizeof(group), "%llu", (unsigned long long)++cgroup->last);
	if (mkdirat(cgroup->fd, group, 0755) != 0)
		return 0;
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
	*enter_fd = openat(cgroup->fd, procs, O_WRONLY | O_CLOEXEC);
	if (*enter_fd < 0) {
		unlinkat(cgroup->fd, group, AT_REMOVEDIR);
		return 0;
	}
	take_limits(cgroup, group, limits);
	return cgroup->last;
}

void cgroup_kill(const struct cgroup *cgroup, uint64_t number)
{
	char path[NAME_SIZE];

	if (number == 0)
		return;
	snprintf(path, sizeof(path), "%llu/cgroup.kill", (unsigned long long)number);
	write_to(cgroup->fd, path, "1");
}

bool cgroup_remove(const struct cgroup *cgroup, uint64_t number)
{
	char group[NAME_SIZE];

	if (number == 0)
		return true;
	snprintf(group, sizeof(group), "%llu", (unsigned long long)number);
	return unlinkat(cgroup->fd, group, AT_REMOVEDIR) == 0 || errno != EBUSY;
}
