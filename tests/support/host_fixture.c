#include "tests/support/host_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/fleet.h"

enum { BUFFER_BYTES_MAX = 256 * 1024 * 1024 };

/* Beside the tests: in $LOCUM_TEST_BIN, or in bin/ of the build that this test is of. */
static void find_programs(struct host_fixture *f)
{
	const char *directory = getenv("LOCUM_TEST_BIN");
	char own[HOST_FIXTURE_PATH / 2] = "";
	char *build_end;

	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	build_end = strstr(own, "/tests/");
	if (build_end != NULL)
		snprintf(build_end, sizeof(own) - (size_t)(build_end - own), "/bin");
	if (directory == NULL)
		directory = own;
	snprintf(f->program, sizeof(f->program), "%.300s/locum-host", directory);
	snprintf(f->plugins, sizeof(f->plugins), "%.300s/../plugins", directory);
}

void host_fixture_open(struct host_fixture *f, struct database *d)
{
	memset(f, 0, sizeof(*f));
	f->d = d;
	f->socket = -1;
	find_programs(f);
	buffer_init(&f->out, BUFFER_BYTES_MAX);
	agent_events_init(&f->events);
	if (d != NULL)
		f->dispatcher = fleet_dispatcher(d);
}

static void let_go(struct host_fixture *f)
{
	if (f->socket >= 0)
		close(f->socket);
	f->socket = -1;
	slate_close(f->slate);
	f->slate = NULL;
	f->pid = 0;
}

void host_fixture_close(struct host_fixture *f)
{
	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	let_go(f);
	for (uint32_t i = 0; i < f->handler_count; i++)
		handler_fini(&f->handlers[i]);
	buffer_free(&f->out);
	agent_events_fini(&f->events);
}

static struct handler *add(struct host_fixture *f, enum handler_kind kind, const char *name)
{
	struct handler *handler = &f->handlers[f->handler_count++];

	assert_true(f->handler_count <= HOST_FIXTURE_HANDLERS);
	handler->kind = kind;
	handler->name = strdup(name);
	handler->limits = (struct handler_limits){ -1, -1, -1, -1, -1 };
	return handler;
}

struct handler *host_fixture_deed(struct host_fixture *f, const char *symbol)
{
	struct handler *handler = add(f, HANDLER_PLUGIN, symbol);

	assert_true(asprintf(&handler->path, "%s/deeds.so", f->plugins) > 0);
	handler->symbol = strdup(symbol);
	return handler;
}

struct handler *host_fixture_function(struct host_fixture *f, const char *name,
				      const char *function)
{
	struct handler *handler = add(f, HANDLER_SQL, name);

	handler->function = strdup(function);
	return handler;
}

static void become_host(const char *program, int socket_fd, int slate_fd)
{
	int lifted[2];

	lifted[0] = fcntl(socket_fd, F_DUPFD, 100);
	lifted[1] = fcntl(slate_fd, F_DUPFD, 100);
	dup2(lifted[0], WIRE_SOCKET_FD);
	dup2(lifted[1], WIRE_SLATE_FD);
	close_range(WIRE_SLATE_FD + 1, UINT32_MAX, 0);
	setsid();
	execl(program, "locum-host", (char *)NULL);
	_exit(127);
}

static void flush(struct host_fixture *f)
{
	while (buffer_length(&f->out) > 0) {
		ssize_t sent = send(f->socket, buffer_bytes(&f->out), buffer_length(&f->out),
				    MSG_NOSIGNAL);

		if (sent < 0)
			fail_msg("cannot send to the host: %s", strerror(errno));
		buffer_consume(&f->out, (size_t)sent);
	}
}

void host_fixture_start(struct host_fixture *f)
{
	char agent[] = "test";
	struct wire_hello hello = {
		.agent = agent,
		.slots = 1,
		.kill_grace_ms = 300,
		.database = f->d == NULL ? NULL : f->d->conninfo,
		.handler_count = f->handler_count,
		.handlers = f->handlers,
	};
	int slate_fd;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(slate_create(&f->slate, &slate_fd, NULL), 0);
	slate_set_limit_ms(f->slate, INT64_MAX);
	f->pid = fork();
	if (f->pid == 0)
		become_host(f->program, ends[1], slate_fd);
	close(slate_fd);
	close(ends[1]);
	f->socket = ends[0];
	f->events.ready = false;
	assert_int_equal(wire_write_hello(&f->out, &hello, NULL), 0);
	flush(f);
	while (!f->events.ready)
		agent_events_await(&f->events, f->socket);
	assert_int_equal(f->events.ready_pid, f->pid);
}

int host_fixture_await_exit(struct host_fixture *f)
{
	int status;

	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	while (agent_events_take(&f->events, f->socket)) {
	}
	let_go(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void host_fixture_kill(struct host_fixture *f)
{
	kill(f->pid, SIGKILL);
	host_fixture_await_exit(f);
}

static struct wire_bytes text(const char *string)
{
	return (struct wire_bytes){ .bytes = string, .length = (uint32_t)strlen(string) };
}

struct wire_job host_fixture_job(int64_t id, const char *handler, const char *payload)
{
	struct wire_job job = {
		.id = id,
		.claim_seq = 7,
		.attempt = 1,
		.queue = text("default"),
		.handler = text(handler),
		.payload = text(payload),
	};

	memcpy(job.claim_id.bytes + 8, &id, sizeof(id));
	return job;
}

struct wire_job host_fixture_claim(struct host_fixture *f, const char *handler, const char *payload)
{
	struct wire_job job = host_fixture_job(0, handler, payload);

	fleet_submit(f->d, "'h'");
	job.id = fleet_claim_one(f->d, f->dispatcher, &job.claim_id);
	assert_true(job.id > 0);
	return job;
}

void host_fixture_send(struct host_fixture *f, const struct wire_job *jobs, size_t count)
{
	assert_int_equal(wire_write_run(&f->out, jobs, count, NULL), 0);
	flush(f);
}

void host_fixture_cancel(struct host_fixture *f, const struct wire_job *job)
{
	struct wire_cancel cancel = { job->id, job->claim_id, WIRE_CANCEL_REQUESTED };

	assert_int_equal(wire_write_cancel(&f->out, &cancel, 1, NULL), 0);
	flush(f);
}

void host_fixture_stop(struct host_fixture *f)
{
	struct wire_stop stop = { .grace_ms = 300 };

	assert_int_equal(wire_write_stop(&f->out, &stop, NULL), 0);
	flush(f);
}

bool host_fixture_has_outcome(const struct host_fixture *f, const struct wire_job *job)
{
	struct wire_outcome outcome;

	return agent_events_outcome(&f->events, job->id, &outcome);
}

struct wire_outcome host_fixture_outcome(struct host_fixture *f, const struct wire_job *job)
{
	struct wire_outcome outcome;

	while (!agent_events_outcome(&f->events, job->id, &outcome))
		agent_events_await(&f->events, f->socket);
	assert_true(uuid_same(outcome.claim_id, job->claim_id));
	return outcome;
}

struct wire_outcome host_fixture_run(struct host_fixture *f, const struct wire_job *job)
{
	host_fixture_send(f, job, 1);
	return host_fixture_outcome(f, job);
}

void host_fixture_await_started(struct host_fixture *f, const struct wire_job *job)
{
	while (!agent_events_started(&f->events, job->id))
		agent_events_await(&f->events, f->socket);
}

struct wire_broken host_fixture_broken(struct host_fixture *f, const char *handler)
{
	struct wire_broken broken;

	while (!agent_events_broken(&f->events, handler, &broken))
		agent_events_await(&f->events, f->socket);
	return broken;
}

void host_fixture_check(struct wire_outcome outcome, enum verdict verdict, const char *error,
			const char *file, int line)
{
	char said[4096];

	snprintf(said, sizeof(said), "%.*s", (int)outcome.error.length,
		 outcome.error.bytes == NULL ? "" : outcome.error.bytes);
	if (outcome.verdict != verdict)
		print_error("verdict %d, not %d: %s\n", (int)outcome.verdict, (int)verdict, said);
	_assert_int_equal(outcome.verdict, verdict, file, line);
	_assert_string_equal(said, error == NULL ? "" : error, file, line);
}
