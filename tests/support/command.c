#include "tests/support/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

void command_init(struct command *command, const char *path)
{
	*command = (struct command){ .argv = { path }, .in = -1, .out = -1, .err = -1 };
	command->printed = calloc(1, 1);
	command->said = calloc(1, 1);
	command_setenv(command, "PATH", getenv("PATH"));
	command_setenv(command, "LANG", "C.UTF-8");
}

void command_fini(struct command *command)
{
	const int fds[] = { command->in, command->out, command->err };

	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (size_t i = 0; command->environment[i] != NULL; i++)
		free(command->environment[i]);
	free(command->printed);
	free(command->said);
}

void command_setenv(struct command *command, const char *key, const char *value)
{
	size_t used = 0;

	while (command->environment[used] != NULL)
		used++;
	assert_true(used + 1 < COMMAND_ENVIRONMENT_MAX);
	assert_true(asprintf(&command->environment[used], "%s=%s", key, value) > 0);
}

void command_add(struct command *command, ...)
{
	size_t used = 0;
	va_list args;

	while (command->argv[used] != NULL)
		used++;
	va_start(args, command);
	do {
		assert_true(used < COMMAND_ARGS_MAX);
		command->argv[used] = va_arg(args, const char *);
	} while (command->argv[used++] != NULL);
	va_end(args);
}

static void make_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
}

void command_start(struct command *command)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int in[2];
	int out[2];
	int err[2];

	make_pipe(in);
	make_pipe(out);
	make_pipe(err);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, err[1], STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	sigfillset(&defaults);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	assert_int_equal(posix_spawnp(&command->pid, command->argv[0], &files, &attributes,
				      (char *const *)(uintptr_t)command->argv,
				      command->environment),
			 0);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	command->in = in[1];
	command->out = out[0];
	command->err = err[0];
}

/* Takes in what one stream has; -1 closes it. */
static void take(int *fd, char **text, size_t *length)
{
	char bytes[65536];
	ssize_t got = read(*fd, bytes, sizeof(bytes));

	if (got <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	*text = realloc(*text, *length + (size_t)got + 1);
	memcpy(*text + *length, bytes, (size_t)got);
	*length += (size_t)got;
	(*text)[*length] = '\0';
}

/* Waits for output, or for room in its stdin while `writing`. Returns whether there is room. */
static bool pump(struct command *command, bool writing, int64_t deadline_ms)
{
	struct pollfd polled[] = {
		{ .fd = command->out, .events = POLLIN },
		{ .fd = command->err, .events = POLLIN },
		{ .fd = writing ? command->in : -1, .events = POLLOUT },
	};
	int64_t left_ms = deadline_ms - clock_monotonic_ms();

	if (left_ms <= 0 || poll(polled, 3, (int)left_ms) == 0) {
		kill(command->pid, SIGKILL);
		fail_msg("%s did not get on; it said: %s", command->argv[0], command->said);
	}
	if (polled[0].revents != 0)
		take(&command->out, &command->printed, &command->printed_length);
	if (polled[1].revents != 0)
		take(&command->err, &command->said, &command->said_length);
	return polled[2].revents != 0;
}

void command_type(struct command *command, const char *bytes, size_t length)
{
	int64_t deadline_ms = clock_monotonic_ms() + COMMAND_PATIENCE_MS;
	size_t written = 0;

	while (written < length) {
		size_t piece = length - written < 4096 ? length - written : 4096;
		ssize_t put;

		if (!pump(command, true, deadline_ms))
			continue;
		put = write(command->in, bytes + written, piece);
		if (put < 0 && errno == EPIPE)
			return; /* it wants no more */
		assert_true(put > 0);
		written += (size_t)put;
	}
}

void command_await_taken(struct command *command)
{
	int64_t deadline_ms = clock_monotonic_ms() + COMMAND_PATIENCE_MS;
	int left = 1;

	while (left > 0) {
		assert_int_equal(ioctl(command->in, FIONREAD, &left), 0);
		if (clock_monotonic_ms() >= deadline_ms)
			fail_msg("%d bytes were not read; it said: %s", left, command->said);
		poll(NULL, 0, left > 0 ? 2 : 0);
	}
}

void command_type_end(struct command *command)
{
	close(command->in);
	command->in = -1;
}

static void await(struct command *command, char *const *where, const char *text)
{
	int64_t deadline_ms = clock_monotonic_ms() + COMMAND_PATIENCE_MS;

	while (strstr(*where, text) == NULL) {
		if (command->out < 0 && command->err < 0)
			fail_msg("no \"%s\"; it said: %s", text, command->said);
		pump(command, false, deadline_ms);
	}
}

void command_await_said(struct command *command, const char *text)
{
	await(command, &command->said, text);
}

void command_await_printed(struct command *command, const char *text)
{
	await(command, &command->printed, text);
}

void command_finish(struct command *command)
{
	int64_t deadline_ms = clock_monotonic_ms() + COMMAND_PATIENCE_MS;
	int status;

	if (command->in >= 0)
		command_type_end(command);
	while (command->out >= 0 || command->err >= 0)
		pump(command, false, deadline_ms);
	assert_int_equal(waitpid(command->pid, &status, 0), command->pid);
	command->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void command_run(struct command *command, const char *input, size_t length)
{
	command_start(command);
	command_type(command, input, length);
	command_finish(command);
}
