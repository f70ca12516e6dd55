#include "tools/chaos/handler/misdeed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	AGAIN = 75,
	REFUSED = 78,
	LINE = 512,
	FORKS_MOST = 2000,
	FLOOD_MB = 1024,
	MEMORY_MB_MOST = 1024,
	MEMORY_STEP_MB = 16,
	SPIN_S_MOST = 20,
	CHILDREN = 3,
};

/* One run that misbehaves. */
struct run {
	const struct effect *effect;
	const char *effects;
	const char *word;
};

/* The path of a file beside the effect log. */
static void beside(const struct run *run, const char *name, char path[static PATH_MAX])
{
	const char *slash = strrchr(run->effects, '/');
	int folder = slash == NULL ? 0 : (int)(slash - run->effects) + 1;

	snprintf(path, PATH_MAX, "%.*s%s", folder, run->effects, name);
}

static void note(const struct run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void note(const struct run *run, const char *format, ...)
{
	char path[PATH_MAX];
	char text[LINE / 2];
	char line[LINE];
	va_list list;
	int length;
	int fd;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	beside(run, "misdeeds.log", path);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return;
	length = snprintf(line, sizeof(line), "%lld %s %s %d %s\n", (long long)effect_now_us(),
			  run->word, getenv("LOCUM_JOB_ID"), (int)getpid(), text);
	if (write(fd, line, (size_t)length) != length)
		perror("misdeeds.log");
	close(fd);
}

/* --- that do not end ---------------------------------------------------------------------------- */

static int hang(const struct run *run)
{
	note(run, "goes on for ever");
	effect_work(run->effect, INT64_MAX / 2, NULL, NULL);
	return 0;
}

static int ignore_term(const struct run *run)
{
	signal(SIGTERM, SIG_IGN);
	note(run, "goes on for ever and ignores SIGTERM");
	effect_work(run->effect, INT64_MAX / 2, NULL, NULL);
	return 0;
}

static _Noreturn void wait_for_ever(void)
{
	for (;;)
		pause();
}

/* Out of session, group and sight, with the output open. The parent ends well once it has noted itself. */
static int daemonize(const struct run *run)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return AGAIN;
	if (fork() == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		note(run, "left its session and keeps the output open");
		close(ends[0]);
		close(ends[1]);
		wait_for_ever();
	}
	close(ends[1]);
	return read(ends[0], &byte, 1) == 0 ? 0 : AGAIN;
}

/* Uninterruptible once the answer is awaited from somebody who has taken the request. */
static int read_stalled(const struct run *run)
{
	char path[PATH_MAX];
	char byte;
	int fd;

	beside(run, "stall/file", path);
	note(run, "reads %s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return AGAIN;
	if (read(fd, &byte, 1) < 0)
		note(run, "the read failed: %s", strerror(errno));
	close(fd);
	return AGAIN;
}

/* --- that take too much ------------------------------------------------------------------------- */

/* Every process of it forks until it is refused; all of them count together. */
static int fork_on(const struct run *run)
{
	atomic_int *count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t self = getpid();

	if (count == MAP_FAILED || geteuid() == 0)
		return REFUSED;
	note(run, "forks");
	while (atomic_fetch_add(count, 1) < FORKS_MOST && fork() >= 0)
		continue;
	if (getpid() == self)
		note(run, "was refused after %d forks: %s", atomic_load(count), strerror(errno));
	wait_for_ever();
}

static int flood(const struct run *run)
{
	static char bytes[1 << 20];

	memset(bytes, 'x', sizeof(bytes));
	note(run, "writes %d MB without a line break", FLOOD_MB);
	for (size_t done = 0; done < (size_t)FLOOD_MB << 20;) {
		ssize_t written = write(STDOUT_FILENO, bytes, sizeof(bytes));

		if (written <= 0)
			return AGAIN;
		done += (size_t)written;
	}
	note(run, "has written all of it");
	return 0;
}

static int hog(const struct run *run)
{
	int taken = 0;

	note(run, "takes memory");
	while (taken < MEMORY_MB_MOST) {
		void *more = malloc((size_t)MEMORY_STEP_MB << 20);

		if (more == NULL)
			break;
		memset(more, 'x', (size_t)MEMORY_STEP_MB << 20);
		taken += MEMORY_STEP_MB;
	}
	note(run, "%s after %d MB", taken < MEMORY_MB_MOST ? "was refused more" : "gave up", taken);
	return AGAIN;
}

static int spin(const struct run *run)
{
	volatile unsigned turns = 0;

	alarm(SPIN_S_MOST);
	note(run, "takes all the processor time that it gets");
	for (;;)
		turns++;
	return AGAIN;
}

/* --- that hurt others --------------------------------------------------------------------------- */

/* What a log, a terminal or a reader of text could stumble over. */
static int babble(const struct run *run)
{
	static const char FORGED[] =
		"\033[31mFORGED\033[0m\r\n2026-01-01T00:00:00.000Z locumd error FORGED job=1\r\n"
		"\033]0;FORGED\007\033[2J\xff\xfe\xc0\x80\xed\xa0\x80 \xe2\x80\xae FORGED";
	unsigned char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	note(run, "writes what is no text");
	if (write(STDOUT_FILENO, FORGED, sizeof(FORGED)) < 0 ||
	    write(STDERR_FILENO, all, sizeof(all)) < 0)
		return AGAIN;
	return AGAIN;
}

static int kill_parent(const struct run *run)
{
	int failure;

	if (geteuid() == 0 || getppid() <= 1)
		return REFUSED;
	failure = kill(getppid(), SIGKILL) == 0 ? 0 : errno;
	note(run, "kill(%d, SIGKILL) to its parent: %s", (int)getppid(), strerror(failure));
	return 0;
}

/* As process 1 of a namespace of its own: nobody else is in the reach of kill(-1). */
static int kill_all(void)
{
	int killed = 0;
	int status;

	if (getpid() != 1 || getppid() != 0)
		return 0;
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0)
			wait_for_ever();
	kill(-1, SIGKILL);
	while (wait(&status) > 0)
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	return killed;
}

static int kill_everybody(const struct run *run)
{
	int status = 0;
	pid_t pid;

	if (geteuid() == 0)
		return REFUSED;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
		note(run, "has no namespace of its own: %s", strerror(errno));
		return 0;
	}
	pid = fork();
	if (pid == 0)
		_exit(kill_all());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return AGAIN;
	note(run, "kill(-1, SIGKILL) ended %d processes of its namespace", WEXITSTATUS(status));
	return 0;
}

/* ------------------------------------------------------------------------------------------------ */

static const struct deed {
	const char *word;
	int (*commit)(const struct run *run);
} DEEDS[] = {
	{ "hang", hang },
	{ "ignore-term", ignore_term },
	{ "daemonize", daemonize },
	{ "read", read_stalled },
	{ "fork", fork_on },
	{ "flood", flood },
	{ "hog", hog },
	{ "spin", spin },
	{ "babble", babble },
	{ "kill-parent", kill_parent },
	{ "kill-all", kill_everybody },
};

int misdeed_do(const struct effect *effect, const char *effects, const char *word)
{
	const struct run run = { effect, effects, word };
	const char *attempt = getenv("LOCUM_ATTEMPT");

	if (attempt == NULL || strcmp(attempt, "1") != 0)
		return -1;
	for (size_t i = 0; i < sizeof(DEEDS) / sizeof(DEEDS[0]); i++)
		if (strcmp(DEEDS[i].word, word) == 0)
			return DEEDS[i].commit(&run);
	return -1;
}
