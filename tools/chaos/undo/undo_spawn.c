#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/chaos/undo/undo.h"

enum { PATH_SIZE = 4096, GROUPS_MAX = 64, LOST = 127, REPORT_FD = 3 };

/* All that the child needs, made before the fork: other threads of the parent may hold locks. */
struct birth {
	const struct undo_spawn *spawn;
	char **env;
	char namespace[PATH_SIZE];
	char procs[PATH_SIZE];
	bool changes_user;
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	int group_count;
	pid_t parent;
	int channel; /* the child's end: a byte comes when it is noted, an errno goes when it fails */
};

/* --- before the fork ---------------------------------------------------------------------------- */

/* What a user has set for other servers and dispatchers is not meant for these. */
static bool is_passed_on(const char *variable)
{
	return strncmp(variable, "PG", 2) != 0 && strncmp(variable, "LOCUM_", 6) != 0;
}

static char **make_env(const char *const *own, const char *mark)
{
	size_t count = 2;
	char **env;

	for (char **variable = environ; *variable != NULL; variable++)
		count++;
	for (const char *const *variable = own; variable != NULL && *variable != NULL; variable++)
		count++;
	env = calloc(count, sizeof(*env));
	if (env == NULL)
		return NULL;
	count = 0;
	/* What follows is only read: exec takes strings for its own only by its type. The last of a name would not
	 * win, so the given ones come first. */
	for (; own != NULL && *own != NULL; own++)
		env[count++] = (char *)(uintptr_t)*own;
	env[count++] = (char *)(uintptr_t)mark;
	for (char **variable = environ; *variable != NULL; variable++)
		if (is_passed_on(*variable))
			env[count++] = *variable;
	return env;
}

static int find_user(struct birth *birth, const char *name, struct error *err)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL)
		return error_set(err, ERROR_FATAL, "there is no user %s", name);
	birth->changes_user = true;
	birth->uid = user->pw_uid;
	birth->gid = user->pw_gid;
	birth->group_count = GROUPS_MAX;
	if (getgrouplist(name, user->pw_gid, birth->groups, &birth->group_count) < 0)
		birth->group_count = 0;
	return 0;
}

static int prepare(struct birth *birth, const struct undo *undo, const struct undo_spawn *spawn,
		   struct error *err)
{
	birth->spawn = spawn;
	birth->parent = getpid();
	if (spawn->namespace != NULL)
		snprintf(birth->namespace, PATH_SIZE, "/run/netns/%s", spawn->namespace);
	if (spawn->cgroup != NULL)
		snprintf(birth->procs, PATH_SIZE, "%s/cgroup.procs", spawn->cgroup);
	if (spawn->user != NULL && geteuid() == 0 && find_user(birth, spawn->user, err) != 0)
		return -1;
	birth->env = make_env(spawn->env, undo_mark(undo));
	return birth->env == NULL ? error_set(err, ERROR_RETRY, "out of memory") : 0;
}

/* --- in the child ------------------------------------------------------------------------------- */

static bool set_files(const struct birth *birth)
{
	const char *output = birth->spawn->output == NULL ? "/dev/null" : birth->spawn->output;
	int in = open("/dev/null", O_RDONLY);
	int out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0644);

	return in >= 0 && out >= 0 && dup2(in, STDIN_FILENO) >= 0 &&
	       dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0;
}

static bool enter(const struct birth *birth)
{
	if (birth->procs[0] != '\0') {
		int fd = open(birth->procs, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "0", 1) != 1)
			return false;
	}
	if (birth->namespace[0] != '\0') {
		int fd = open(birth->namespace, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
			return false;
	}
	return !birth->changes_user || (setgroups((size_t)birth->group_count, birth->groups) == 0 &&
					setgid(birth->gid) == 0 && setuid(birth->uid) == 0);
}

/* The parent may have died before the kernel was told what is to happen then. */
static bool follow_parent(const struct birth *birth)
{
	int number = birth->spawn->death_signal == 0 ? SIGKILL : birth->spawn->death_signal;

	return prctl(PR_SET_PDEATHSIG, number) == 0 && getppid() == birth->parent;
}

/* What the harness ignores or blocks is for the program as it is for any other. */
static bool reset_signals(void)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&none);
	return sigaction(SIGPIPE, &usual, NULL) == 0 && sigaction(SIGINT, &usual, NULL) == 0 &&
	       sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* Only the channel stays open, and not for the program. */
static bool close_others(const struct birth *birth)
{
	bool in_place = birth->channel == REPORT_FD ||
			dup3(birth->channel, REPORT_FD, O_CLOEXEC) == REPORT_FD;

	return in_place && close_range(REPORT_FD + 1, ~0U, 0) == 0;
}

_Noreturn static void become(const struct birth *birth)
{
	char go;
	int failure = 0;

	if (read(birth->channel, &go, 1) != 1)
		_exit(LOST);
	setpgid(0, 0);
	if (!set_files(birth) || !enter(birth) || !follow_parent(birth) || !reset_signals()) {
		failure = errno;
		_exit(write(birth->channel, &failure, sizeof(failure)) < 0 ? LOST : LOST - 1);
	}
	if (close_others(birth))
		execvpe(birth->spawn->argv[0], (char **)(uintptr_t)birth->spawn->argv, birth->env);
	failure = errno;
	_exit(write(REPORT_FD, &failure, sizeof(failure)) < 0 ? LOST : LOST - 1);
}

/* --- in the parent ------------------------------------------------------------------------------ */

/* Notes it, lets it go, and hears whether it became the program. */
static int raise_child(struct undo *undo, const struct undo_spawn *spawn, int channel, pid_t pid,
		       struct error *err)
{
	int failure = 0;

	if (undo_add_process(undo, pid, err) != 0)
		return -1;
	if (send(channel, "g", 1, MSG_NOSIGNAL) != 1)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot start %s", spawn->argv[0]);
	if (recv(channel, &failure, sizeof(failure), MSG_WAITALL) == sizeof(failure))
		return error_set_errno(err, ERROR_FATAL, failure, "cannot run %s", spawn->argv[0]);
	return 0;
}

static void bury(struct undo *undo, pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	undo_forget_process(undo, pid);
}

int undo_spawn(struct undo *undo, const struct undo_spawn *spawn, pid_t *pid, struct error *err)
{
	struct birth birth = { 0 };
	int ends[2];
	int status = -1;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make a socket pair");
	birth.channel = ends[1];
	child = prepare(&birth, undo, spawn, err) != 0 ? -1 : fork();
	if (child == 0)
		become(&birth);
	close(ends[1]);
	if (child > 0)
		status = raise_child(undo, spawn, ends[0], child, err);
	else if (birth.env != NULL)
		error_set_errno(err, ERROR_FATAL, errno, "cannot fork");
	close(ends[0]);
	free(birth.env);
	if (status == 0)
		*pid = child;
	else if (child > 0)
		bury(undo, child);
	return status;
}
