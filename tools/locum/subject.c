#include "tools/locum/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { READ_BYTES = 64 * 1024, KEPT_BYTES_MAX = 64 * 1024 * 1024 };
enum { LIFTED_FD = 10 }; /* ours are above those that it gets */

extern char **environ;

/* --- starting ---------------------------------------------------------------------------------- */

static int open_pipe(int ends[2], struct error *err)
{
	int low[2];

	if (pipe2(low, O_CLOEXEC) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot make a pipe");
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, LIFTED_FD);
		close(low[i]);
	}
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	return error_set_errno(err, ERROR_RETRY, errno, "cannot make a pipe");
}

static int set_files(posix_spawn_file_actions_t *files, int orders, int answers)
{
	if (posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(files, STDERR_FILENO, STDOUT_FILENO) != 0 ||
	    posix_spawn_file_actions_adddup2(files, orders, RPC_ORDERS_FD) != 0 ||
	    posix_spawn_file_actions_adddup2(files, answers, RPC_ANSWERS_FD) != 0)
		return -1;
	return posix_spawn_file_actions_addclosefrom_np(files, RPC_ANSWERS_FD + 1);
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawnattr_setsigmask(attributes, &none) != 0 ||
	    posix_spawnattr_setsigdefault(attributes, &all) != 0)
		return -1;
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							    POSIX_SPAWN_SETSID);
}

static int spawn(struct subject *subject, char *const *argv, int orders, int answers,
		 struct error *err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int failure = ENOMEM;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	if (set_files(&files, orders, answers) == 0 && set_attributes(&attributes) == 0)
		failure = posix_spawnp(&subject->pid, argv[0], &files, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	if (failure == 0)
		return 0;
	subject->pid = 0;
	return error_set_errno(err, ERROR_FATAL, failure, "cannot execute %s", argv[0]);
}

int subject_start(struct subject *subject, char *const *argv, struct error *err)
{
	int down[2];
	int up[2];
	int status;

	*subject = (struct subject){ .orders_fd = -1, .answers_fd = -1 };
	buffer_init(&subject->in, KEPT_BYTES_MAX);
	if (open_pipe(down, err) != 0 || open_pipe(up, err) != 0)
		return -1;
	status = spawn(subject, argv, down[0], up[1], err);
	close(down[0]);
	close(up[1]);
	subject->orders_fd = down[1];
	subject->answers_fd = up[0];
	fcntl(subject->orders_fd, F_SETFL, O_NONBLOCK);
	fcntl(subject->answers_fd, F_SETFL, O_NONBLOCK);
	return status;
}

/* --- waiting ----------------------------------------------------------------------------------- */

/* Takes what has come. Returns false at the end. */
static bool take(struct subject *subject)
{
	char *room = buffer_reserve(&subject->in, READ_BYTES, NULL);
	ssize_t got = room == NULL ? 0 : read(subject->answers_fd, room, READ_BYTES);

	if (got > 0)
		subject->in.end += (size_t)got;
	subject->ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
	return !subject->ended;
}

static int left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_monotonic_ms();

	return left < 0 ? 0 : (int)left;
}

int subject_write(struct subject *subject, const char *bytes, size_t length, int64_t timeout_ms,
		  struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

	while (length > 0) {
		struct pollfd wanted[] = { { .fd = subject->orders_fd, .events = POLLOUT },
					   { .fd = subject->answers_fd, .events = POLLIN } };
		ssize_t put;

		if (poll(wanted, subject->ended ? 1 : 2, left_ms(deadline_ms)) <= 0)
			return error_set(err, ERROR_INPUT, "it does not read its orders");
		if (!subject->ended && wanted[1].revents != 0)
			take(subject);
		if (wanted[0].revents == 0)
			continue;
		put = write(subject->orders_fd, bytes, length);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return error_set(err, ERROR_INPUT, "it has closed descriptor 3");
		if (put > 0) {
			bytes += put;
			length -= (size_t)put;
		}
	}
	return 0;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void subject_close_orders(struct subject *subject)
{
	close_one(&subject->orders_fd);
}

void subject_close_answers(struct subject *subject)
{
	close_one(&subject->answers_fd);
	subject->ended = true;
}

static bool is_blank(const char *line, size_t length)
{
	return strspn(line, " \t\r") >= length;
}

/* The length of the first line that is not empty, or -1 when it has no end yet. */
static ssize_t first_line(struct subject *subject)
{
	for (;;) {
		size_t have = buffer_length(&subject->in);
		const char *line = have == 0 ? NULL : buffer_bytes(&subject->in);
		const char *end = have == 0 ? NULL : memchr(line, '\n', have);

		if (end == NULL)
			return -1;
		if (!is_blank(line, (size_t)(end - line)))
			return end - line;
		buffer_consume(&subject->in, (size_t)(end - line) + 1);
	}
}

/* The bytes of the line stay where they are until the buffer is written to. */
static int read_line(struct subject *subject, size_t length, struct rpc_message *message,
		     struct error *err)
{
	const char *line = buffer_bytes(&subject->in);
	int show = length > 60 ? 60 : (int)length;

	if (length > RPC_LINE_MAX)
		return error_set(err, ERROR_INPUT, "a line of more than %d bytes", RPC_LINE_MAX);
	if (rpc_read(line, length, message, err) != 0)
		return error_prefix(err, "\"%.*s\"", show, line);
	subject->in.start += length + 1;
	return 1;
}

int subject_read(struct subject *subject, int64_t timeout_ms, struct rpc_message *message,
		 struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

	for (;;) {
		struct pollfd wanted = { .fd = subject->answers_fd, .events = POLLIN };
		ssize_t length = first_line(subject);

		if (length >= 0)
			return read_line(subject, (size_t)length, message, err);
		if (buffer_length(&subject->in) > RPC_LINE_MAX)
			return error_set(err, ERROR_INPUT, "a line of more than %d bytes",
					 RPC_LINE_MAX);
		if (subject->ended)
			return 0;
		if (poll(&wanted, 1, left_ms(deadline_ms)) <= 0)
			return error_set(err, ERROR_RETRY, "nothing came in %d ms",
					 (int)timeout_ms);
		take(subject);
	}
}

/* --- ending ------------------------------------------------------------------------------------ */

static bool reap(struct subject *subject, int options)
{
	siginfo_t how = { .si_pid = 0 };

	if (subject->pid == 0)
		return true;
	if (waitid(P_PID, (id_t)subject->pid, &how, WEXITED | options) != 0 || how.si_pid == 0)
		return false;
	subject->pid = 0;
	subject->by_signal = how.si_code != CLD_EXITED;
	subject->status = how.si_status;
	return true;
}

int subject_look_away(struct subject *subject, int64_t ms, struct error *err)
{
	struct pollfd wanted = { .fd = (int)syscall(SYS_pidfd_open, subject->pid, 0),
				 .events = POLLIN };
	int got;

	if (wanted.fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot watch the program");
	got = poll(&wanted, 1, (int)ms);
	close(wanted.fd);
	return got == 0 ? 0 : error_set(err, ERROR_INPUT, "it exited");
}

int subject_await_exit(struct subject *subject, int64_t timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	int pidfd = (int)syscall(SYS_pidfd_open, subject->pid, 0);
	bool gone = reap(subject, WNOHANG);

	while (!gone && pidfd >= 0) {
		struct pollfd wanted[] = { { .fd = pidfd, .events = POLLIN },
					   { .fd = subject->answers_fd, .events = POLLIN } };

		if (poll(wanted, subject->ended ? 1 : 2, left_ms(deadline_ms)) <= 0)
			break;
		if (!subject->ended && wanted[1].revents != 0)
			take(subject);
		gone = reap(subject, WNOHANG);
	}
	if (pidfd >= 0)
		close(pidfd);
	return gone ? 0 : error_set(err, ERROR_INPUT, "it runs on");
}

void subject_end(struct subject *subject)
{
	if (subject->pid != 0) {
		kill(-subject->pid, SIGKILL);
		reap(subject, 0);
	}
	close_one(&subject->orders_fd);
	close_one(&subject->answers_fd);
	buffer_free(&subject->in);
}
