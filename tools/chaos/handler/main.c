/*
 * The harness's handler:
 *
 *   witness EFFECTS                        a command: does what its payload says
 *   witness EFFECTS -- PROGRAM ARGUMENT…   a command: runs a user's handler with the same input and environment
 *   witness --service EFFECTS              a service
 *   witness --stall FOLDER                 no handler: a file system whose file cannot be read (stall.h)
 *
 * All write into the effect log EFFECTS that a run begins, goes on, and ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "tools/chaos/handler/effect.h"
#include "tools/chaos/handler/misdeed.h"
#include "tools/chaos/handler/stall.h"
#include "tools/chaos/handler/witness_service.h"

enum { USAGE = 64, BROKEN = 126, MISCONFIGURED = 78, SIGNALLED = 128 };

static int complain(const char *what)
{
	fprintf(stderr, "witness: %s\n", what);
	return MISCONFIGURED;
}

/* --- a command ---------------------------------------------------------------------------------- */

static struct json_span read_payload(char *room, size_t size)
{
	size_t length = fread(room, 1, size, stdin);

	return (struct json_span){ room, length };
}

static int work(const struct effect *effect, const char *path)
{
	static char text[LIMIT_PAYLOAD_BYTES];
	struct effect_payload payload;
	int code;

	effect_read(read_payload(text, sizeof(text)), &payload);
	effect_work(effect, payload.work_us, NULL, NULL);
	code = misdeed_do(effect, path, payload.fail);
	effect_write(effect, "end", NULL);
	return code >= 0 ? code : effect_fail(payload.fail);
}

/* --- somebody else's command -------------------------------------------------------------------- */

/* SIGTERM goes to the whole group: this one waits for what the other makes of it. */
static int start(char **argv, pid_t *pid)
{
	posix_spawnattr_t attributes;
	sigset_t term;
	sigset_t none;
	int failure;

	sigemptyset(&none);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	failure = posix_spawn(pid, argv[0], NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	return failure;
}

/* Beats until it has ended; its status. */
static int await(const struct effect *effect, pid_t pid)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int status = 0;

	while (end.fd >= 0 && poll(&end, 1, EFFECT_BEAT_MS) == 0)
		effect_write(effect, "beat", NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

static int wrap(const struct effect *effect, char **argv)
{
	char text[32];
	pid_t pid;
	int failure = start(argv, &pid);
	int status;

	if (failure != 0) {
		fprintf(stderr, "witness: cannot run %s: %s\n", argv[0], strerror(failure));
		effect_write(effect, "end", NULL);
		return BROKEN;
	}
	status = await(effect, pid);
	effect_write(effect, "end", NULL);
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
	effect_fail(text);
	return SIGNALLED + WTERMSIG(status);
}

/* argv: of the user's program, or empty. */
static int run_command(const char *path, char **argv)
{
	const char *job = getenv("LOCUM_JOB_ID");
	const char *claim = getenv("LOCUM_CLAIM_ID");
	const char *seq = getenv("LOCUM_CLAIM_SEQ");
	struct error err = { 0 };
	struct effect effect;
	int code;

	if (job == NULL || claim == NULL || seq == NULL)
		return complain("a dispatcher of locum has to run this");
	if (effect_open(&effect, path, job, claim, seq, &err) != 0 ||
	    effect_write(&effect, "begin", &err) != 0)
		return complain(err.text);
	code = argv[0] == NULL ? work(&effect, path) : wrap(&effect, argv);
	effect_close(&effect);
	return code;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc == 3 && strcmp(argv[1], "--service") == 0)
		return witness_service(argv[2], &err) == 0 ? 0 : complain(err.text);
	if (argc == 3 && strcmp(argv[1], "--stall") == 0)
		return stall_serve(argv[2], &err) == 0 ? 0 : complain(err.text);
	if (argc == 2 || (argc >= 4 && strcmp(argv[2], "--") == 0))
		return run_command(argv[1], argc == 2 ? argv + 2 : argv + 3);
	fputs("usage: witness EFFECTS [-- PROGRAM ARGUMENT...] | witness --service EFFECTS | witness --stall FOLDER\n",
	      stderr);
	return USAGE;
}
