#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/chaos/undo/undo.h"

enum { LINE_SIZE = 512, OUTPUT_SIZE = 8192 };

/* The last line of what it said that is not empty. */
static void last_line(int output, char line[static LINE_SIZE])
{
	char text[OUTPUT_SIZE];
	off_t length = lseek(output, 0, SEEK_END);
	off_t start = length > OUTPUT_SIZE - 1 ? length - (OUTPUT_SIZE - 1) : 0;
	ssize_t got = pread(output, text, OUTPUT_SIZE - 1, start);
	char *begin;

	text[got < 0 ? 0 : got] = '\0';
	while (got > 0 && text[got - 1] == '\n')
		text[--got] = '\0';
	begin = strrchr(text, '\n');
	snprintf(line, LINE_SIZE, "%.*s", LINE_SIZE - 1, begin == NULL ? text : begin + 1);
}

static int judge(const char *const *argv, int status, int output, struct error *err)
{
	char line[LINE_SIZE];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	last_line(output, line);
	if (WIFSIGNALED(status))
		return error_set(err, ERROR_FATAL, "%s was ended by signal %d (%s)", argv[0],
				 WTERMSIG(status), line);
	return error_set(err, ERROR_FATAL, "%s failed with %d (%s)", argv[0], WEXITSTATUS(status),
			 line);
}

int undo_run(struct undo *undo, const char *const *argv, int64_t timeout_ms, struct error *err)
{
	char path[64];
	int output = memfd_create("output", MFD_CLOEXEC);
	const struct undo_spawn spawn = { .argv = argv, .output = path };
	char process[24];
	int status;
	pid_t pid;
	int ended;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), output);
	if (output < 0 || undo_spawn(undo, &spawn, &pid, err) != 0) {
		if (output >= 0)
			close(output);
		return output >= 0 ? -1 : error_set(err, ERROR_RETRY, "out of memory");
	}
	ended = undo_wait(undo, pid, timeout_ms, &status, err);
	if (ended == 1)
		ended = judge(argv, status, output, err);
	else if (ended == 0) {
		snprintf(process, sizeof(process), "%d", (int)pid);
		undo_now(undo, UNDO_PROCESS, process, err);
		ended = error_set(err, ERROR_FATAL, "%s did not end within %lld ms", argv[0],
				  (long long)timeout_ms);
	}
	close(output);
	return ended;
}
