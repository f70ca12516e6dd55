#include "tests/support/agent_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

enum { BUFFER_BYTES_MAX = 256 * 1024 * 1024, READ_BYTES = 64 * 1024, ARGUMENTS_MAX = 16 };
enum { FENCE_FAR_MS = 3600 * 1000 };
enum { CLAIM_MARK = 0xc1 }; /* the first byte of every claim of a fixture */

/* --- making ------------------------------------------------------------------------------------ */

static void check(bool good, const char *what)
{
	if (!good)
		fail_msg("%s: %s", what, strerror(errno));
}

/* Opened anew, a fifo waits for its next writer; the old end keeps what is already in it. */
static void open_fifo(struct agent_fixture *fixture)
{
	int fd = open(fixture->fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	check(fd >= 0, "open fifo");
	if (fixture->fifo_fd >= 0)
		close(fixture->fifo_fd);
	fixture->fifo_fd = fd;
}

void agent_fixture_open(struct agent_fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->slots = 4;
	fixture->kill_grace_ms = 300;
	fixture->pidfd = -1;
	fixture->socket = -1;
	buffer_init(&fixture->in, BUFFER_BYTES_MAX);
	buffer_init(&fixture->out, BUFFER_BYTES_MAX);
	buffer_init(&fixture->started, BUFFER_BYTES_MAX);
	buffer_init(&fixture->outcomes, BUFFER_BYTES_MAX);
	buffer_init(&fixture->broken, BUFFER_BYTES_MAX);
	buffer_init(&fixture->said, BUFFER_BYTES_MAX);
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/locum-agent-XXXXXX");
	check(mkdtemp(fixture->directory) != NULL, "mkdtemp");
	check(chmod(fixture->directory, 0755) == 0, "chmod");
	snprintf(fixture->fifo, sizeof(fixture->fifo), "%.200s/fifo", fixture->directory);
	check(mkfifo(fixture->fifo, 0666) == 0 && chmod(fixture->fifo, 0666) == 0, "mkfifo");
	fixture->fifo_fd = -1;
	open_fifo(fixture);
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

	assert_true(asprintf(&handler->environment[0], "FIFO=%s", fixture->fifo) > 0);
	return handler;
}

/* --- receiving --------------------------------------------------------------------------------- */

static char *keep_body(struct agent_fixture *fixture, const struct wire_frame *frame)
{
	struct agent_fixture_bodies *kept = &fixture->bodies;
	char *copy = malloc((size_t)frame->body.length + 1);

	kept->bodies = reallocarray(kept->bodies, kept->count + 1, sizeof(char *));
	assert_non_null(kept->bodies);
	assert_non_null(copy);
	memcpy(copy, frame->body.bytes, frame->body.length);
	kept->bodies[kept->count++] = copy;
	return copy;
}

static void keep_event(struct buffer *events, const void *event, size_t size)
{
	assert_int_equal(buffer_append(events, event, size, NULL), 0);
}

static void take_frame(struct agent_fixture *fixture, struct wire_frame frame)
{
	struct wire_started started;
	struct wire_outcome outcome;
	struct wire_broken broken;
	struct wire_ready ready;
	size_t at = 0;

	frame.body.bytes = keep_body(fixture, &frame);
	if (frame.type == WIRE_STARTED) {
		while (wire_read_started(&frame, &at, &started, NULL) == 1)
			keep_event(&fixture->started, &started, sizeof(started));
	} else if (frame.type == WIRE_OUTCOME) {
		while (wire_read_outcome(&frame, &at, &outcome, NULL) == 1)
			keep_event(&fixture->outcomes, &outcome, sizeof(outcome));
	} else if (frame.type == WIRE_BROKEN) {
		assert_int_equal(wire_read_broken(&frame, &broken, NULL), 0);
		keep_event(&fixture->broken, &broken, sizeof(broken));
	} else {
		assert_int_equal(frame.type, WIRE_READY);
		assert_int_equal(wire_read_ready(&frame, &ready, NULL), 0);
		assert_int_equal(ready.protocol, WIRE_PROTOCOL);
		assert_int_equal(ready.pid, fixture->pid);
		fixture->ready = true;
	}
}

static void await_readable(int fd, const char *what)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };
	int got = poll(&wanted, 1, AGENT_FIXTURE_PATIENCE_MS);

	if (got != 1)
		fail_msg("%s: nothing in %d ms", what, AGENT_FIXTURE_PATIENCE_MS);
}

/* Waits for bytes, and takes the frames that are whole. */
static void await_frames(struct agent_fixture *fixture)
{
	struct wire_frame frame;
	struct error err;
	char *room = buffer_reserve(&fixture->in, READ_BYTES, &err);
	ssize_t got;
	int status;

	assert_non_null(room);
	await_readable(fixture->socket, "a frame of the agent");
	got = read(fixture->socket, room, READ_BYTES);
	if (got <= 0)
		fail_msg("the agent hung up");
	fixture->in.end += (size_t)got;
	while ((status = wire_next(&fixture->in, &frame, &err)) == 1) {
		take_frame(fixture, frame);
		wire_done(&fixture->in, &frame);
	}
	assert_int_equal(status, 0);
}

/* The event about a job: all of them begin with its id. */
static const void *find_event(const struct buffer *events, size_t size, int64_t id)
{
	for (size_t at = 0; at + size <= buffer_length(events); at += size) {
		int64_t found;

		memcpy(&found, buffer_bytes(events) + at, sizeof(found));
		if (found == id)
			return buffer_bytes(events) + at;
	}
	return NULL;
}

bool agent_fixture_has_started(const struct agent_fixture *fixture, int64_t id)
{
	return find_event(&fixture->started, sizeof(struct wire_started), id) != NULL;
}

bool agent_fixture_has_outcome(const struct agent_fixture *fixture, int64_t id)
{
	return find_event(&fixture->outcomes, sizeof(struct wire_outcome), id) != NULL;
}

void agent_fixture_await_started(struct agent_fixture *fixture, int64_t id)
{
	while (!agent_fixture_has_started(fixture, id))
		await_frames(fixture);
}

struct wire_outcome agent_fixture_outcome(struct agent_fixture *fixture, int64_t id)
{
	struct wire_outcome outcome;

	while (!agent_fixture_has_outcome(fixture, id))
		await_frames(fixture);
	memcpy(&outcome, find_event(&fixture->outcomes, sizeof(outcome), id), sizeof(outcome));
	return outcome;
}

struct wire_broken agent_fixture_broken(struct agent_fixture *fixture, const char *handler)
{
	size_t at = 0;

	for (;;) {
		for (; at < buffer_length(&fixture->broken); at += sizeof(struct wire_broken)) {
			struct wire_broken broken;

			memcpy(&broken, buffer_bytes(&fixture->broken) + at, sizeof(broken));
			if (agent_fixture_is(broken.handler, handler))
				return broken;
		}
		await_frames(fixture);
	}
}

size_t agent_fixture_broken_count(const struct agent_fixture *fixture)
{
	return buffer_length(&fixture->broken) / sizeof(struct wire_broken);
}

/* --- starting ---------------------------------------------------------------------------------- */

/* The agent is beside the tests: in $LOCUM_TEST_BIN, or in bin/ of the build that this test is of. */
static void find_agent(char path[static AGENT_FIXTURE_PATH])
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
		snprintf(path, AGENT_FIXTURE_PATH, "%.200s/locum-agent", directory);
	else
		snprintf(path, AGENT_FIXTURE_PATH, "%.200s/bin/locum-agent", own);
}

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

	find_agent(path);
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
	while (!fixture->ready)
		await_frames(fixture);
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

/* --- looking ----------------------------------------------------------------------------------- */

/* Reads the fifo once. Returns what read does. */
static ssize_t listen_once(struct agent_fixture *fixture)
{
	char *room = buffer_reserve(&fixture->said, READ_BYTES, NULL);
	ssize_t got;

	assert_non_null(room);
	got = read(fixture->fifo_fd, room, READ_BYTES);
	if (got > 0)
		fixture->said.end += (size_t)got;
	return got;
}

static const char *find_said(const struct agent_fixture *fixture, const char *string)
{
	if (buffer_length(&fixture->said) == 0)
		return NULL;
	return memmem(buffer_bytes(&fixture->said), buffer_length(&fixture->said), string,
		      strlen(string));
}

void agent_fixture_await_said(struct agent_fixture *fixture, const char *string)
{
	const char *found;

	while ((found = find_said(fixture, string)) == NULL) {
		await_readable(fixture->fifo_fd, string);
		if (listen_once(fixture) == 0)
			open_fifo(fixture);
	}
	buffer_consume(&fixture->said,
		       (size_t)(found - buffer_bytes(&fixture->said)) + strlen(string));
}

void agent_fixture_await_all_dead(struct agent_fixture *fixture)
{
	ssize_t got;

	do {
		await_readable(fixture->fifo_fd, "the end of all handlers");
		got = listen_once(fixture);
	} while (got != 0);
}

bool agent_fixture_anybody_alive(struct agent_fixture *fixture)
{
	ssize_t got;

	do {
		got = listen_once(fixture);
	} while (got > 0);
	return got < 0 && errno == EAGAIN;
}

void agent_fixture_make_go(struct agent_fixture *fixture)
{
	snprintf(fixture->go, sizeof(fixture->go), "%.200s/fifo.go", fixture->directory);
	check(mkfifo(fixture->go, 0666) == 0 && chmod(fixture->go, 0666) == 0, "mkfifo");
}

/* Waits for the handler to open the other end. */
void agent_fixture_go(struct agent_fixture *fixture)
{
	int fd = open(fixture->go, O_WRONLY | O_CLOEXEC);

	check(fd >= 0 && write(fd, "go\n", 3) == 3, "say go");
	close(fd);
}

void agent_fixture_freeze(struct agent_fixture *fixture)
{
	siginfo_t how;

	kill(fixture->pid, SIGSTOP);
	check(waitid(P_PID, (id_t)fixture->pid, &how, WSTOPPED) == 0, "waitid");
}

int agent_fixture_await_exit(struct agent_fixture *fixture)
{
	siginfo_t how;

	await_readable(fixture->pidfd, "the end of the agent");
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

static void free_buffers(struct agent_fixture *fixture)
{
	buffer_free(&fixture->in);
	buffer_free(&fixture->out);
	buffer_free(&fixture->started);
	buffer_free(&fixture->outcomes);
	buffer_free(&fixture->broken);
	buffer_free(&fixture->said);
	for (size_t i = 0; i < fixture->bodies.count; i++)
		free(fixture->bodies.bodies[i]);
	free(fixture->bodies.bodies);
}

void agent_fixture_close(struct agent_fixture *fixture)
{
	char path[AGENT_FIXTURE_PATH];

	end_agent(fixture);
	close(fixture->fifo_fd);
	unlink(fixture->fifo);
	if (fixture->go[0] != '\0')
		unlink(fixture->go);
	snprintf(path, sizeof(path), "%.200s/lock", fixture->directory);
	unlink(path);
	rmdir(fixture->directory);
	fence_close(fixture->fence);
	for (uint32_t i = 0; i < fixture->handler_count; i++)
		handler_fini(&fixture->handlers[i]);
	free_buffers(fixture);
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
