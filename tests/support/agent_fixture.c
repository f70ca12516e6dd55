#include "tests/support/agent_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

enum { BUFFER_BYTES_MAX = 256 * 1024 * 1024, ARGUMENTS_MAX = 16 };
enum { FENCE_FAR_MS = 3600 * 1000 };
enum { CLAIM_MARK = 0xc1 }; /* the first byte of every claim of a fixture */

/* --- making ------------------------------------------------------------------------------------ */

static void check(bool good, const char *what)
{
	if (!good)
		fail_msg("%s: %s", what, strerror(errno));
}

void agent_fixture_open(struct agent_fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->slots = 4;
	fixture->kill_grace_ms = 300;
	fixture->pidfd = -1;
	fixture->socket = -1;
	buffer_init(&fixture->out, BUFFER_BYTES_MAX);
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/locum-agent-XXXXXX");
	check(mkdtemp(fixture->directory) != NULL, "mkdtemp");
	check(chmod(fixture->directory, 0755) == 0, "chmod");
	fifo_open(&fixture->fifo, fixture->directory);
	agent_events_init(&fixture->events);
}

static struct handler *add_handler(struct agent_fixture *fixture, const char *name)
{
	struct handler *handler = &fixture->handlers[fixture->handler_count++];

	assert_true(fixture->handler_count <= AGENT_FIXTURE_HANDLERS);
	handler->name = strdup(name);
	handler->argv = calloc(ARGUMENTS_MAX + 1, sizeof(char *));
	handler->environment = calloc(ARGUMENTS_MAX + 1, sizeof(char *));
	handler->limits = (struct handler_limits){ -1, -1, -1, -1, -1 };
	assert_non_null(handler->argv);
	assert_non_null(handler->environment);
	return handler;
}

struct handler *agent_fixture_command(struct agent_fixture *fixture, const char *name, ...)
{
	struct handler *handler = add_handler(fixture, name);
	const char *argument;
	va_list arguments;

	va_start(arguments, name);
	for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
		argument = va_arg(arguments, const char *);
		if (argument == NULL)
			break;
		handler->argv[i] = strdup(argument);
	}
	va_end(arguments);
	return handler;
}

struct handler *agent_fixture_script(struct agent_fixture *fixture, const char *name,
				     const char *script)
{
	struct handler *handler = agent_fixture_command(fixture, name, "/bin/sh", "-c", script,
							NULL);

	assert_true(asprintf(&handler->environment[0], "FIFO=%s", fixture->fifo.path) > 0);
	return handler;
}

/* What is built with the tests: in $LOCUM_TEST_BIN, or in bin/ of the build that this test is of; a path from there. */
static void find_built(const char *name, char path[static AGENT_FIXTURE_PATH])
{
	const char *directory = getenv("LOCUM_TEST_BIN");
	char own[AGENT_FIXTURE_PATH];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *build_end;

	check(length > 0, "readlink");
	own[length] = '\0';
	build_end = strstr(own, "/tests/");
	if (build_end != NULL)
		*build_end = '\0';
	if (directory != NULL)
		snprintf(path, AGENT_FIXTURE_PATH, "%.200s/%s", directory, name);
	else
		snprintf(path, AGENT_FIXTURE_PATH, "%.200s/bin/%s", own, name);
}

struct handler *agent_fixture_deed(struct agent_fixture *fixture, const char *symbol)
{
	struct handler *handler = agent_fixture_command(fixture, symbol, "deed", NULL);
	char path[AGENT_FIXTURE_PATH];

	find_built("../plugins/deeds.so", path);
	handler->kind = HANDLER_PLUGIN;
	handler->symbol = strdup(symbol);
	handler->path = strdup(path);
	return handler;
}

/* --- starting ---------------------------------------------------------------------------------- */

/* Lifts the descriptors first: one of them may be where another has to go. */
static void become_agent(const char *path, int socket_fd, int fence_fd, int lock_fd)
{
	int lifted[3];

	lifted[0] = fcntl(socket_fd, F_DUPFD, 100);
	lifted[1] = fcntl(fence_fd, F_DUPFD, 100);
	lifted[2] = fcntl(lock_fd, F_DUPFD, 100);
	dup2(lifted[0], WIRE_SOCKET_FD);
	dup2(lifted[1], WIRE_FENCE_FD);
	dup2(lifted[2], WIRE_LOCK_FD);
	close_range(WIRE_LOCK_FD + 1, UINT32_MAX, 0);
	execl(path, "locum-agent", (char *)NULL);
	_exit(127);
}

static void set_soft_files(rlim_t files)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = files;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_lock(const struct agent_fixture *fixture)
{
	char path[AGENT_FIXTURE_PATH];
	int fd;

	snprintf(path, sizeof(path), "%.200s/lock", fixture->directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	check(fd >= 0, "open lock");
	return fd;
}

bool agent_fixture_lock_is_free(const struct agent_fixture *fixture)
{
	int fd = open_lock(fixture);
	bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;

	close(fd);
	return is_free;
}

void agent_fixture_launch(struct agent_fixture *fixture)
{
	char path[AGENT_FIXTURE_PATH];
	int ends[2];
	int fence_fd;
	int lock_fd;

	find_built("locum-agent", path);
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	assert_int_equal(fence_create(&fixture->fence, &fence_fd, NULL), 0);
	lock_fd = open_lock(fixture);
	check(flock(lock_fd, LOCK_EX | LOCK_NB) == 0, "flock");
	fixture->pid = fork();
	check(fixture->pid >= 0, "fork");
	if (fixture->pid == 0 && fixture->soft_files > 0)
		set_soft_files(fixture->soft_files);
	if (fixture->pid == 0)
		become_agent(path, ends[1], fence_fd, lock_fd);
	fixture->pidfd = (int)syscall(SYS_pidfd_open, fixture->pid, 0);
	check(fixture->pidfd >= 0, "pidfd_open");
	fixture->socket = ends[0];
	close(ends[1]);
	close(fence_fd);
	close(lock_fd);
}

static void greet(struct agent_fixture *fixture)
{
	struct wire_hello hello = {
		.agent = fixture->directory,
		.slots = fixture->slots,
		.kill_grace_ms = fixture->kill_grace_ms,
		.log_level = LOG_LEVEL_INFO,
		.handler_count = fixture->handler_count,
		.handlers = fixture->handlers,
	};

	assert_int_equal(wire_write_hello(&fixture->out, &hello, NULL), 0);
	agent_fixture_flush(fixture);
}

void agent_fixture_start_fenced(struct agent_fixture *fixture)
{
	agent_fixture_launch(fixture);
	greet(fixture);
	while (!fixture->events.ready)
		agent_events_await(&fixture->events, fixture->socket);
	assert_int_equal(fixture->events.ready_pid, fixture->pid);
}

void agent_fixture_start(struct agent_fixture *fixture)
{
	agent_fixture_start_fenced(fixture);
	agent_fixture_fence_in(fixture, FENCE_FAR_MS);
}

void agent_fixture_fence_in(struct agent_fixture *fixture, int64_t ms)
{
	fence_set_ms(fixture->fence, clock_boottime_ms() + ms);
}

/* --- sending ----------------------------------------------------------------------------------- */

void agent_fixture_flush(struct agent_fixture *fixture)
{
	while (buffer_length(&fixture->out) > 0) {
		ssize_t sent = send(fixture->socket, buffer_bytes(&fixture->out),
				    buffer_length(&fixture->out), MSG_NOSIGNAL);

		check(sent > 0, "send");
		buffer_consume(&fixture->out, (size_t)sent);
	}
}

static struct wire_bytes text(const char *string)
{
	return (struct wire_bytes){ .bytes = string, .length = (uint32_t)strlen(string) };
}

static struct uuid claim_of(int64_t id)
{
	struct uuid claim = { .bytes = { CLAIM_MARK } };

	memcpy(claim.bytes + 8, &id, sizeof(id));
	return claim;
}

struct wire_job agent_fixture_job(int64_t id, const char *handler, const char *payload)
{
	return (struct wire_job){
		.id = id,
		.claim_id = claim_of(id),
		.claim_seq = 7,
		.attempt = 1,
		.queue = text("default"),
		.handler = text(handler),
		.payload = text(payload),
	};
}

void agent_fixture_send(struct agent_fixture *fixture, const struct wire_job *jobs, size_t count)
{
	assert_int_equal(wire_write_run(&fixture->out, jobs, count, NULL), 0);
	agent_fixture_flush(fixture);
}

void agent_fixture_run(struct agent_fixture *fixture, int64_t id, const char *handler,
		       const char *payload)
{
	struct wire_job job = agent_fixture_job(id, handler, payload);

	job.life = fence_life(fixture->fence);
	agent_fixture_send(fixture, &job, 1);
}

struct wire_outcome agent_fixture_finish(struct agent_fixture *fixture, int64_t id,
					 const char *handler, const char *payload)
{
	agent_fixture_run(fixture, id, handler, payload);
	return agent_fixture_outcome(fixture, id);
}

void agent_fixture_cancel(struct agent_fixture *fixture, int64_t id, enum wire_cancel_reason reason)
{
	struct wire_cancel cancel = { .id = id, .claim_id = claim_of(id), .reason = reason };

	assert_int_equal(wire_write_cancel(&fixture->out, &cancel, 1, NULL), 0);
	agent_fixture_flush(fixture);
}

void agent_fixture_stop(struct agent_fixture *fixture, int64_t grace_ms)
{
	struct wire_stop stop = { .grace_ms = grace_ms };

	assert_int_equal(wire_write_stop(&fixture->out, &stop, NULL), 0);
	agent_fixture_flush(fixture);
}

void agent_fixture_hang_up(struct agent_fixture *fixture)
{
	close(fixture->socket);
	fixture->socket = -1;
}

/* --- waiting ----------------------------------------------------------------------------------- */

void agent_fixture_await_started(struct agent_fixture *fixture, int64_t id)
{
	while (!agent_events_started(&fixture->events, id))
		agent_events_await(&fixture->events, fixture->socket);
}

bool agent_fixture_has_started(const struct agent_fixture *fixture, int64_t id)
{
	return agent_events_started(&fixture->events, id);
}

bool agent_fixture_has_outcome(const struct agent_fixture *fixture, int64_t id)
{
	struct wire_outcome outcome;

	return agent_events_outcome(&fixture->events, id, &outcome);
}

struct wire_outcome agent_fixture_outcome(struct agent_fixture *fixture, int64_t id)
{
	struct wire_outcome outcome;

	while (!agent_events_outcome(&fixture->events, id, &outcome))
		agent_events_await(&fixture->events, fixture->socket);
	return outcome;
}

struct wire_broken agent_fixture_broken(struct agent_fixture *fixture, const char *handler)
{
	struct wire_broken broken;

	while (!agent_events_broken(&fixture->events, handler, &broken))
		agent_events_await(&fixture->events, fixture->socket);
	return broken;
}

void agent_fixture_await_mended(struct agent_fixture *fixture, const char *handler)
{
	while (!agent_events_mended(&fixture->events, handler))
		agent_events_await(&fixture->events, fixture->socket);
}

size_t agent_fixture_broken_count(const struct agent_fixture *fixture)
{
	return buffer_length(&fixture->events.broken) / sizeof(struct wire_broken);
}

/* --- looking ----------------------------------------------------------------------------------- */

void agent_fixture_freeze(struct agent_fixture *fixture)
{
	siginfo_t how;

	kill(fixture->pid, SIGSTOP);
	check(waitid(P_PID, (id_t)fixture->pid, &how, WSTOPPED) == 0, "waitid");
}

int agent_fixture_await_exit(struct agent_fixture *fixture)
{
	siginfo_t how;

	fifo_await_readable(fixture->pidfd, "the end of the agent");
	check(waitid(P_PID, (id_t)fixture->pid, &how, WEXITED) == 0, "waitid");
	fixture->pid = 0;
	return how.si_code == CLD_EXITED ? how.si_status : -how.si_status;
}

int64_t agent_fixture_status(const struct agent_fixture *fixture, const char *key)
{
	char path[AGENT_FIXTURE_PATH];
	char line[AGENT_FIXTURE_PATH];
	int64_t value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", fixture->pid);
	file = fopen(path, "re");
	check(file != NULL, path);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			value = strtoll(line + strlen(key) + 1, NULL, 10);
	}
	fclose(file);
	return value;
}

bool agent_fixture_is(struct wire_bytes bytes, const char *string)
{
	return bytes.bytes != NULL && bytes.length == strlen(string) &&
	       memcmp(bytes.bytes, string, bytes.length) == 0;
}

bool agent_fixture_holds(struct wire_bytes bytes, const char *string)
{
	return bytes.bytes != NULL &&
	       memmem(bytes.bytes, bytes.length, string, strlen(string)) != NULL;
}

void agent_fixture_check_outcome(const struct wire_outcome *outcome, enum verdict verdict,
				 const char *error, const char *file, int line)
{
	bool fits = error == NULL ? outcome->error.bytes == NULL
				  : agent_fixture_is(outcome->error, error);

	if (outcome->verdict == verdict && fits)
		return;
	print_error("job %d: verdict %d, error \"%.*s\"; wanted %d, \"%s\"\n", (int)outcome->id,
		    outcome->verdict, (int)outcome->error.length,
		    outcome->error.bytes == NULL ? "" : outcome->error.bytes, verdict,
		    error == NULL ? "" : error);
	_fail(file, line);
}

/* --- ending ------------------------------------------------------------------------------------ */

static void end_agent(struct agent_fixture *fixture)
{
	int status;

	if (fixture->socket >= 0)
		agent_fixture_hang_up(fixture);
	status = fixture->pid == 0 ? 0 : agent_fixture_await_exit(fixture);
	if (fixture->pidfd >= 0)
		close(fixture->pidfd);
	assert_int_equal(status, 0);
}

void agent_fixture_close(struct agent_fixture *fixture)
{
	char path[AGENT_FIXTURE_PATH];

	end_agent(fixture);
	fifo_close(&fixture->fifo);
	snprintf(path, sizeof(path), "%.200s/lock", fixture->directory);
	unlink(path);
	rmdir(fixture->directory);
	fence_close(fixture->fence);
	for (uint32_t i = 0; i < fixture->handler_count; i++)
		handler_fini(&fixture->handlers[i]);
	agent_events_fini(&fixture->events);
	buffer_free(&fixture->out);
}

int agent_fixture_set_up(void **state)
{
	struct agent_fixture *fixture = malloc(sizeof(*fixture));

	assert_non_null(fixture);
	agent_fixture_open(fixture);
	*state = fixture;
	return 0;
}

int agent_fixture_tear_down(void **state)
{
	agent_fixture_close(*state);
	free(*state);
	return 0;
}
