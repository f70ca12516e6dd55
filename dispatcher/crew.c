#include "dispatcher/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/children.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/wire.h"
#include "dispatcher/config_reload.h"
#include "dispatcher/policy.h"

enum {
	CHILDREN_MAX = 4096,
	RESTART_CAP_MS = 30000,
	STABLE_MS = 60000,     /* an agent that lived so long starts again at once */
	SAFE_FD = 16,          /* above the descriptors that an agent inherits */
	WATCH_LEAST_MS = 5000, /* no agent is killed for a shorter silence */
	WATCH_LOOKS = 8,       /* in that time */
};

static const char LOG_LEVEL[] = "LOCUM_LOG_LEVEL=";
static const char LOG_FORMAT[] = "LOCUM_LOG_FORMAT=";

struct member {
	char name[LIMIT_NAME_BYTES + 1];
	bool leaving;
	pid_t pid; /* 0: not running */
	int64_t started_ms;
	int64_t due_ms; /* when to start again, while not running */
	int failures;
	uint32_t beats; /* as seen last */
	int missed;     /* looks in a row without another */
};

struct crew {
	struct crew_options options;
	char program[1024];
	char log_level[32]; /* variables for the agents: NAME=VALUE */
	char log_format[32];
	int count;
	struct member members[LIMIT_AGENTS];
	int64_t watch_due_ms;
};

extern char **environ;

/* The agent program stands beside the dispatcher's own unless the configuration says where. */
static int find_program(struct crew *crew, struct error *err)
{
	const char *configured = crew->options.config->agent_program;
	char self[sizeof(crew->program) - 16];
	ssize_t length;

	if (configured != NULL && configured[0] != '\0') {
		snprintf(crew->program, sizeof(crew->program), "%s", configured);
	} else {
		length = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (length < 0)
			return error_set_errno(err, ERROR_FATAL, errno,
					       "cannot read /proc/self/exe");
		self[length] = '\0';
		snprintf(crew->program, sizeof(crew->program), "%s/locum-agent", dirname(self));
	}
	if (access(crew->program, X_OK) != 0)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot run the agent %s",
				       crew->program);
	return 0;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;

	sigemptyset(&none);
	sigfillset(&all);
	/* Its own process group: Ctrl-C at a terminal is the dispatcher's business. */
	return posix_spawnattr_setsigmask(attributes, &none) |
	       posix_spawnattr_setsigdefault(attributes, &all) |
	       posix_spawnattr_setpgroup(attributes, 0) |
	       posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							    POSIX_SPAWN_SETPGROUP);
}

static int set_actions(posix_spawn_file_actions_t *actions, const int fds[3])
{
	return posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) |
	       posix_spawn_file_actions_adddup2(actions, fds[0], WIRE_SOCKET_FD) |
	       posix_spawn_file_actions_adddup2(actions, fds[1], WIRE_FENCE_FD) |
	       posix_spawn_file_actions_adddup2(actions, fds[2], WIRE_LOCK_FD) |
	       posix_spawn_file_actions_addclosefrom_np(actions, WIRE_LOCK_FD + 1);
}

/* What an agent has no use for may hold a password: it gets the database by HELLO. */
static bool is_for_agent(const char *pair)
{
	return strncmp(pair, "PG", 2) != 0 && strncmp(pair, "LOCUM_", 6) != 0;
}

/* Of our own what it needs. How to log is as the configuration has it: an agent has lines to write before it is
 * greeted. The texts are borrowed. NULL when memory ends. */
static char **make_environment(struct crew *crew)
{
	char **made;
	size_t count = 0;

	while (environ[count] != NULL)
		count++;
	made = calloc(count + 3, sizeof(*made));
	if (made == NULL)
		return NULL;
	count = 0;
	for (char **pair = environ; *pair != NULL; pair++)
		if (is_for_agent(*pair))
			made[count++] = *pair;
	made[count++] = crew->log_level;
	made[count] = crew->log_format;
	return made;
}

/* Starts the process with copies of these descriptors. Returns an errno value. */
static int spawn(struct crew *crew, const int fds[3], pid_t *pid)
{
	char name[] = "locum-agent";
	char *argv[] = { name, NULL };
	char **environment = make_environment(crew);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int failed;

	if (environment == NULL)
		return ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	failed = set_attributes(&attributes) | set_actions(&actions, fds);
	if (failed == 0)
		failed = posix_spawn(pid, crew->program, &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(environment);
	return failed;
}

/* Copies of the three descriptors above all numbers that the child will use. */
static int raise_fds(const int given[3], int raised[3], struct error *err)
{
	for (int i = 0; i < 3; i++) {
		raised[i] = fcntl(given[i], F_DUPFD_CLOEXEC, SAFE_FD);
		if (raised[i] >= 0)
			continue;
		error_set_errno(err, ERROR_RETRY, errno, "cannot copy a descriptor");
		while (--i >= 0)
			close(raised[i]);
		return -1;
	}
	return 0;
}

static int start_member(struct crew *crew, int index, struct error *err)
{
	struct member *member = &crew->members[index];
	struct mail mail = { .kind = MAIL_AGENT_BORN, .agent = index };
	int sockets[2];
	int raised[3];
	int failed;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot make a socket pair");
	if (raise_fds((const int[3]){ sockets[1], crew->options.fence_fd, crew->options.lock_fd },
		      raised, err) != 0) {
		close(sockets[0]);
		close(sockets[1]);
		return -1;
	}
	failed = spawn(crew, raised, &member->pid);
	for (int i = 0; i < 3; i++)
		close(raised[i]);
	close(sockets[1]);
	if (failed != 0) {
		close(sockets[0]);
		member->pid = 0;
		return error_set_errno(err, ERROR_RETRY, failed, "cannot start %s", crew->program);
	}
	member->started_ms = clock_monotonic_ms();
	member->beats = 0;
	member->missed = 0;
	mail.fd = sockets[0];
	mailbox_post(crew->options.pump, &mail);
	return 0;
}

int crew_seat(const struct crew *crew, struct config *config, struct error *err)
{
	struct config_seat seats[LIMIT_AGENTS];

	for (int i = 0; i < crew->count; i++) {
		const struct member *member = &crew->members[i];

		seats[i] = (struct config_seat){ member->name,
						 member->leaving && member->pid == 0 };
	}
	return config_reload_seat(config, seats, crew->count, err);
}

void crew_adopt(struct crew *crew, const struct config *config)
{
	for (int i = 0; i < config->agent_count; i++) {
		const struct config_agent *agent = &config->agents[i];
		struct member *member = &crew->members[i];

		if (strcmp(member->name, agent->name) != 0) {
			*member = (struct member){ .pid = 0 };
			snprintf(member->name, sizeof(member->name), "%s", agent->name);
		}
		member->leaving = agent->leaving;
	}
	crew->count = config->agent_count;
	snprintf(crew->log_level, sizeof(crew->log_level), "%s%s", LOG_LEVEL, config->log_level);
	snprintf(crew->log_format, sizeof(crew->log_format), "%s%s", LOG_FORMAT,
		 config->log_format);
}

int crew_start(struct crew **crew, const struct crew_options *options, struct error *err)
{
	struct crew *started = calloc(1, sizeof(*started));

	if (started == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	started->options = *options;
	crew_adopt(started, options->config);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
		error_set_errno(err, ERROR_FATAL, errno, "cannot become a child subreaper");
		goto fail;
	}
	if (find_program(started, err) != 0)
		goto fail;
	for (int i = 0; i < started->count; i++)
		if (start_member(started, i, err) != 0)
			goto fail;
	*crew = started;
	return 0;
fail:
	crew_stop(started, 0);
	return -1;
}

static struct member *member_of(struct crew *crew, pid_t pid)
{
	for (int i = 0; i < crew->count; i++)
		if (crew->members[i].pid == pid)
			return &crew->members[i];
	return NULL;
}

/* Kills every child that is no agent, and theirs when they become ours, until none is left. Children that
 * are not reaped yet keep their pids, so nobody else is hit. */
static void kill_orphans(struct crew *crew)
{
	pid_t *pids = calloc(CHILDREN_MAX, sizeof(*pids));
	size_t orphans = pids == NULL ? 0 : 1;

	while (orphans > 0) {
		size_t count = children_list(pids, CHILDREN_MAX);

		orphans = 0;
		for (size_t i = 0; i < count; i++) {
			if (member_of(crew, pids[i]) != NULL)
				continue;
			kill(pids[i], SIGKILL);
			/* Waits: a process that was killed dies, unless the kernel itself hangs. */
			if (waitpid(pids[i], NULL, 0) == pids[i])
				orphans++;
		}
	}
	free(pids);
}

static void bury_member(struct crew *crew, struct member *member, const siginfo_t *info)
{
	int64_t now_ms = clock_monotonic_ms();
	struct mail mail = { .kind = MAIL_AGENT_DEAD, .agent = (int)(member - crew->members) };
	bool orderly = info->si_code == CLD_EXITED && info->si_status == 0;

	LOG_LINE(orderly ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, orderly ? "agent ended" : "agent died",
		 log_text("agent", member->name), log_number("pid", member->pid),
		 log_text("by", info->si_code == CLD_EXITED ? "exit" : "signal"),
		 log_number("status", info->si_status));
	fence_leave(crew->options.fence, member->pid);
	member->pid = 0;
	kill_orphans(crew);
	mailbox_post(crew->options.pump, &mail);
	if (now_ms - member->started_ms > STABLE_MS)
		member->failures = 0;
	member->due_ms = now_ms;
	if (member->failures > 0)
		member->due_ms += policy_reconnect_delay_ms(member->failures, RESTART_CAP_MS);
	member->failures++;
}

void crew_reap(struct crew *crew)
{
	siginfo_t info = { 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0) {
		struct member *member = member_of(crew, info.si_pid);

		if (member != NULL)
			bury_member(crew, member, &info);
		info.si_pid = 0;
	}
}

int64_t crew_due_ms(const struct crew *crew)
{
	int64_t due_ms = INT64_MAX;

	for (int i = 0; i < crew->count; i++)
		if (crew->members[i].pid == 0 && !crew->members[i].leaving &&
		    crew->members[i].due_ms < due_ms)
			due_ms = crew->members[i].due_ms;
	return due_ms;
}

void crew_restart(struct crew *crew)
{
	int64_t now_ms = clock_monotonic_ms();
	struct error err;

	for (int i = 0; i < crew->count; i++) {
		struct member *member = &crew->members[i];

		if (member->pid != 0 || member->leaving || member->due_ms > now_ms)
			continue;
		if (start_member(crew, i, &err) == 0)
			continue;
		log_error("agent cannot be started", log_err(&err));
		member->due_ms = now_ms +
				 policy_reconnect_delay_ms(++member->failures, RESTART_CAP_MS);
	}
}

int64_t crew_watch_due_ms(const struct crew *crew)
{
	return crew->watch_due_ms;
}

static void look_at(struct crew *crew, struct member *member)
{
	uint32_t beats = fence_beats(crew->options.fence, member->pid);

	if (beats != member->beats)
		member->missed = 0;
	else if (++member->missed == WATCH_LOOKS + 1) {
		log_error("agent does not answer: killing", log_text("agent", member->name),
			  log_number("pid", member->pid));
		kill(member->pid, SIGKILL);
	}
	member->beats = beats;
}

/* Looks are counted, not time: of a pause of both processes each look sees one miss at most. */
void crew_watch(struct crew *crew)
{
	int64_t silence_ms = crew->options.config->ping_death_interval_ms;
	int64_t now_ms = clock_monotonic_ms();

	if (now_ms < crew->watch_due_ms)
		return;
	if (silence_ms < WATCH_LEAST_MS)
		silence_ms = WATCH_LEAST_MS;
	crew->watch_due_ms = now_ms + silence_ms / WATCH_LOOKS;
	for (int i = 0; i < crew->count; i++)
		if (crew->members[i].pid != 0)
			look_at(crew, &crew->members[i]);
}

/* Waits for one process until the deadline. Returns whether it is gone. */
static bool wait_member(struct member *member, int64_t deadline_ms)
{
	struct pollfd pollfd = { .events = POLLIN };
	int64_t left_ms = deadline_ms - clock_monotonic_ms();

	pollfd.fd = (int)syscall(SYS_pidfd_open, member->pid, 0);
	if (pollfd.fd >= 0 && left_ms > 0)
		poll(&pollfd, 1, (int)left_ms);
	if (pollfd.fd >= 0)
		close(pollfd.fd);
	return waitpid(member->pid, NULL, WNOHANG) == member->pid;
}

void crew_stop(struct crew *crew, int64_t wait_ms)
{
	int64_t deadline_ms = clock_monotonic_ms() + wait_ms;

	for (int i = 0; i < crew->count; i++) {
		struct member *member = &crew->members[i];

		if (member->pid != 0 && !wait_member(member, deadline_ms)) {
			kill(member->pid, SIGKILL);
			waitpid(member->pid, NULL, 0);
		}
		member->pid = 0;
	}
	kill_orphans(crew);
	free(crew);
}
