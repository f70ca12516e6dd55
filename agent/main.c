/* locum-agent: runs the jobs of one agent section of a dispatcher, which starts it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/cgroup.h"
#include "base/error.h"
#include "base/fence.h"
#include "base/log.h"
#include "base/priority.h"
#include "base/version.h"
#include "base/wire.h"

enum { LEFT_TRIES = 4 };

/* What a terminal or a shell sends to a whole group is the dispatcher's to decide about. */
static const int IGNORED[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGPIPE };

static bool is_of_type(int fd, mode_t type)
{
	struct stat file;

	return fstat(fd, &file) == 0 && (file.st_mode & S_IFMT) == type;
}

static void check_descriptors(void)
{
	if (is_of_type(WIRE_SOCKET_FD, S_IFSOCK) && is_of_type(WIRE_FENCE_FD, S_IFREG) &&
	    fcntl(WIRE_LOCK_FD, F_GETFD) >= 0)
		return;
	fputs("locum-agent: this program is started by locumd, never by hand\n", stderr);
	exit(EX_USAGE);
}

static void read_options(int argc, char **argv)
{
	if (argc == 1)
		return;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("locum-agent " LOCUM_VERSION);
		exit(EX_OK);
	}
	fputs("usage: locum-agent [--version]\n", stderr);
	exit(EX_USAGE);
}

static _Noreturn void stop_with(const struct error *err)
{
	log_error("cannot start", log_err(err));
	exit(EX_OSERR);
}

/* Descriptors below those of the protocol are taken, so that none of ours is ever 0, 1 or 2; none is
 * inherited by a handler, and none that the dispatcher did not mean for us stays open. */
static void set_up_descriptors(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			exit(EX_OSERR);
	}
	for (fd = WIRE_SOCKET_FD; fd <= WIRE_LOCK_FD; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	close_range(WIRE_LOCK_FD + 1, UINT_MAX, 0);
}

static void set_up_log(void)
{
	const char *name = getenv("LOCUM_LOG_LEVEL");
	const char *format_name = getenv("LOCUM_LOG_FORMAT");
	enum log_format format;
	enum log_level level;

	log_set_program("locum-agent");
	if (name != NULL && log_level_read(name, &level) == 0)
		log_set_level(level);
	if (format_name != NULL && log_format_read(format_name, &format) == 0)
		log_set_format(format);
}

/* Returns a descriptor that tells of the deaths of children. */
static int set_up_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction standard = { .sa_handler = SIG_DFL };
	struct error err;
	sigset_t deaths;
	int fd;

	for (size_t i = 0; i < sizeof(IGNORED) / sizeof(IGNORED[0]); i++)
		sigaction(IGNORED[i], &ignore, NULL);
	/* Ignored, it would take the dead away before anybody could ask how they died. */
	sigaction(SIGCHLD, &standard, NULL);
	sigemptyset(&deaths);
	sigaddset(&deaths, SIGCHLD);
	sigprocmask(SIG_SETMASK, &deaths, NULL);
	fd = signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0) {
		error_set_errno(&err, ERROR_FATAL, errno, "cannot watch for the end of children");
		stop_with(&err);
	}
	return fd;
}

/* Handlers of the agent's own user may neither read its memory or environment, where the dispatcher's may be, nor
 * take its descriptors. */
static void hide(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void become_subreaper(void)
{
	struct error err;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
		return;
	error_set_errno(&err, ERROR_FATAL, errno, "cannot become a subreaper");
	stop_with(&err);
}

/* Before the dispatcher knows that we are there: it takes nothing back until then. */
static void end_left(void)
{
	int left = cgroup_end_left(WIRE_LOCK_FD);

	if (left > 0)
		log_warning("what a former agent left does not end; trying again",
			    log_number("agents", left));
	for (int i = 0; left > 0 && i < LEFT_TRIES; i++)
		left = cgroup_end_left(WIRE_LOCK_FD);
	if (left > 0)
		log_error("what a former agent left cannot be ended; its jobs may run twice",
			  log_number("agents", left));
}

int main(int argc, char **argv)
{
	struct agent *agent;
	struct fence *fence;
	struct error err;
	int deaths_fd;
	int status;

	hide();
	read_options(argc, argv);
	check_descriptors();
	set_up_log();
	set_up_descriptors();
	become_subreaper();
	priority_raise();
	end_left();
	deaths_fd = set_up_signals();
	if (fence_attach(&fence, WIRE_FENCE_FD, &err) != 0 ||
	    agent_open(&agent, WIRE_SOCKET_FD, fence, deaths_fd, &err) != 0)
		stop_with(&err);

	status = agent_run(agent);

	log_settle(true);
	agent_close(agent);
	fence_close(fence);
	close(deaths_fd);
	close(WIRE_LOCK_FD);
	return status;
}
