#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/scenario.h"

enum { ARGUMENTS_MAX = 24, STATUS_LOST = 127 };

/* --- configuring ------------------------------------------------------------------------------- */

/* Whether the settings give this one. */
static bool gives(const char *settings, const char *key)
{
	const char *found = settings;

	while ((found = strstr(found, key)) != NULL) {
		bool begins = found == settings || strchr(" \n", found[-1]) != NULL;

		found += strlen(key);
		if (begins && strncmp(found, " =", 2) == 0)
			return true;
	}
	return false;
}

static void write_default(FILE *file, const char *settings, const char *key, int value_ms)
{
	if (!gives(settings, key))
		fprintf(file, "%s = \"%dms\"\n", key, value_ms);
}

static void write_configuration(struct scenario *s, const struct scenario_daemon *daemon,
				const char *settings)
{
	FILE *file = fopen(daemon->configuration, "we");

	if (file == NULL)
		scenario_fail(s, "cannot write %s: %s", daemon->configuration, strerror(errno));
	if (!gives(settings, "state_dir"))
		fprintf(file, "state_dir = \"%s\"\n", daemon->state_dir);
	if (!gives(settings, "log_level"))
		fputs("log_level = \"debug\"\n", file);
	if (!gives(settings, "root_handlers"))
		fputs("root_handlers = true\n", file);
	write_default(file, settings, "poll_interval", SCENARIO_POLL_MS);
	write_default(file, settings, "ping_interval", SCENARIO_PING_MS);
	write_default(file, settings, "ping_death_interval", s->death_ms);
	write_default(file, settings, "kill_grace", SCENARIO_GRACE_MS);
	write_default(file, settings, "fence_margin", SCENARIO_MARGIN_MS);
	write_default(file, settings, "scan_interval", SCENARIO_SCAN_MS);
	fprintf(file, "%s\n%s", settings, s->handlers);
	fclose(file);
}

__attribute__((format(printf, 3, 0))) static struct scenario_daemon *
add(struct scenario *s, const char *name, const char *format, va_list list)
{
	struct scenario_daemon *daemon = &s->daemons[s->daemon_count++];
	char settings[4096];

	assert_true(s->daemon_count <= SCENARIO_DAEMONS);
	snprintf(daemon->configuration, sizeof(daemon->configuration), "%s/%s.conf", s->directory,
		 name);
	snprintf(daemon->state_dir, sizeof(daemon->state_dir), "%s/%s.state", s->directory, name);
	snprintf(daemon->log, sizeof(daemon->log), "%s/%s.log", s->directory, name);
	if (s->detoured)
		snprintf(daemon->conninfo, sizeof(daemon->conninfo), "%s host=%s port=5432",
			 s->database->conninfo, s->detour.folder);
	vsnprintf(settings, sizeof(settings), format, list);
	write_configuration(s, daemon, settings);
	return daemon;
}

struct scenario_daemon *scenario_daemon(struct scenario *s, const char *name, const char *format,
					...)
{
	struct scenario_daemon *daemon;
	va_list list;

	va_start(list, format);
	daemon = add(s, name, format, list);
	va_end(list);
	return daemon;
}

struct relay *scenario_relay(struct scenario *s)
{
	if (s->detour.relay == NULL)
		detour_open(&s->detour, s->database->sql);
	relay_set(s->detour.relay, &DETOUR_PASS);
	s->detoured = true;
	return s->detour.relay;
}

void scenario_direct(struct scenario *s)
{
	s->detoured = false;
}

/* --- starting ---------------------------------------------------------------------------------- */

/* In the child: it ends when the test does, however that ends. */
_Noreturn static void become(const struct scenario_daemon *daemon, const char *program,
			     const char *const *argv)
{
	int log = open(daemon->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	int null = open("/dev/null", O_RDONLY);

	if (log >= 0 && null >= 0 && dup2(null, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2) {
		close(log);
		close(null);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		execv(program, (char *const *)(const void *)argv);
	}
	_exit(STATUS_LOST);
}

void scenario_launch(struct scenario *s, struct scenario_daemon *daemon, ...)
{
	const char *argv[ARGUMENTS_MAX] = {
		"locumd",
		"-c",
		daemon->configuration,
		"-d",
		daemon->conninfo[0] == '\0' ? s->database->conninfo : daemon->conninfo,
	};
	const char *folder = getenv("LOCUM_TEST_BIN");
	char program[SCENARIO_PATH * 2];
	int count = 5;
	va_list list;

	assert_int_equal(daemon->pid, 0);
	assert_non_null(folder);
	va_start(list, daemon);
	while (count < ARGUMENTS_MAX - 1 && (argv[count] = va_arg(list, const char *)) != NULL)
		count++;
	va_end(list);
	snprintf(program, sizeof(program), "%s/locumd", folder);
	fflush(stderr);
	daemon->pid = fork();
	if (daemon->pid == 0)
		become(daemon, program, argv);
	if (daemon->pid < 0)
		scenario_fail(s, "cannot fork: %s", strerror(errno));
}

/* It says nothing more: it has ended by itself, or never ran. */
static bool is_mute(const struct scenario_daemon *daemon)
{
	return daemon->pid == 0 || !scenario_is_alive(daemon->pid);
}

static bool takes_jobs(struct scenario *s, const struct scenario_daemon *daemon, int ready)
{
	return scenario_logged(s, daemon, "agent ready") > ready &&
	       strcmp(database_text(s->database,
				    "select exists (select from locum.agent join locum.dispatcher "
				    "using (incarnation) where pid = %d and state = 'running')",
				    (int)daemon->pid),
		      "t") == 0;
}

/* How often it gave up its start because the server did not answer for a second. */
static int slow_starts(struct scenario *s, const struct scenario_daemon *daemon)
{
	return scenario_logged(s, daemon, "locumd: cannot connect to the database: no answer") +
	       scenario_logged(s, daemon, "locumd: canceling statement due to statement timeout");
}

/* On a machine that stood still a start is given up, and made again as whoever watches over a dispatcher does. */
void scenario_run(struct scenario *s, struct scenario_daemon *daemon)
{
	int64_t deadline_ms = scenario_deadline_ms();
	int ready = scenario_logged(s, daemon, "agent ready");
	int slow = slow_starts(s, daemon);
	bool mute;

	scenario_launch(s, daemon, NULL);
	for (;;) {
		mute = is_mute(daemon); /* before the look, so that its last words count */
		if (takes_jobs(s, daemon, ready))
			return;
		if (mute && slow_starts(s, daemon) > slow) {
			slow = slow_starts(s, daemon);
			scenario_exit(s, daemon);
			scenario_launch(s, daemon, NULL);
		} else if (mute) {
			scenario_fail(s, "a dispatcher ended at its start");
		}
		if (!scenario_pause(deadline_ms))
			scenario_fail(s, "a dispatcher takes no jobs");
	}
}

struct scenario_daemon *scenario_start(struct scenario *s, const char *name, const char *format,
				       ...)
{
	struct scenario_daemon *daemon;
	va_list list;

	va_start(list, format);
	daemon = add(s, name, format, list);
	va_end(list);
	scenario_run(s, daemon);
	return daemon;
}

/* --- reloading --------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 0))) static void
hang_up(struct scenario *s, struct scenario_daemon *daemon, const char *format, va_list list)
{
	char settings[4096];

	vsnprintf(settings, sizeof(settings), format, list);
	write_configuration(s, daemon, settings);
	scenario_signal(s, daemon, SIGHUP);
}

void scenario_hang_up(struct scenario *s, struct scenario_daemon *daemon, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	hang_up(s, daemon, format, list);
	va_end(list);
}

void scenario_reload(struct scenario *s, struct scenario_daemon *daemon, const char *format, ...)
{
	int before = scenario_logged(s, daemon, "configuration reloaded");
	va_list list;

	va_start(list, format);
	hang_up(s, daemon, format, list);
	va_end(list);
	scenario_await_logged(s, daemon, before + 1, "configuration reloaded");
}

/* --- ending ------------------------------------------------------------------------------------ */

void scenario_signal(struct scenario *s, struct scenario_daemon *daemon, int number)
{
	if (daemon->pid <= 0 || kill(daemon->pid, number) != 0)
		scenario_fail(s, "signal %d cannot be sent", number);
}

int scenario_exit(struct scenario *s, struct scenario_daemon *daemon)
{
	struct pollfd ended = { .fd = (int)syscall(SYS_pidfd_open, daemon->pid, 0),
				.events = POLLIN };
	int status;
	int seen;

	assert_true(ended.fd >= 0);
	seen = poll(&ended, 1, SCENARIO_PATIENCE_MS);
	close(ended.fd);
	if (seen != 1 || waitpid(daemon->pid, &status, 0) != daemon->pid)
		scenario_fail(s, "process %d does not end", (int)daemon->pid);
	daemon->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void scenario_kill(struct scenario *s, struct scenario_daemon *daemon)
{
	scenario_signal(s, daemon, SIGKILL);
	assert_int_equal(scenario_exit(s, daemon), -SIGKILL);
}

void scenario_drain(struct scenario *s, struct scenario_daemon *daemon)
{
	int status;

	scenario_signal(s, daemon, SIGTERM);
	status = scenario_exit(s, daemon);
	if (status != 0)
		scenario_fail(s, "a drained dispatcher ended with %d", status);
}

void scenario_freeze(struct scenario *s, struct scenario_daemon *daemon)
{
	int status;

	scenario_signal(s, daemon, SIGSTOP);
	assert_int_equal(waitpid(daemon->pid, &status, WUNTRACED), daemon->pid);
	assert_true(WIFSTOPPED(status));
}

void scenario_thaw(struct scenario *s, struct scenario_daemon *daemon)
{
	scenario_signal(s, daemon, SIGCONT);
}

/* --- looking ----------------------------------------------------------------------------------- */

static int count_logged(const struct scenario_daemon *daemon, const char *text, char *last,
			size_t size)
{
	FILE *file = fopen(daemon->log, "re");
	char *line = NULL;
	size_t room = 0;
	int count = 0;

	while (file != NULL && getline(&line, &room, file) > 0) {
		if (strstr(line, text) == NULL)
			continue;
		count++;
		snprintf(last, size, "%s", line);
	}
	free(line);
	if (file != NULL)
		fclose(file);
	return count;
}

int scenario_logged(struct scenario *s, const struct scenario_daemon *daemon, const char *text)
{
	return count_logged(daemon, text, s->text, sizeof(s->text));
}

void scenario_await_logged(struct scenario *s, const struct scenario_daemon *daemon, int count,
			   const char *text)
{
	int64_t deadline_ms = scenario_deadline_ms();
	bool mute;

	do {
		mute = is_mute(daemon); /* before the look, so that its last words count */
		if (scenario_logged(s, daemon, text) >= count)
			return;
	} while (!mute && scenario_pause(deadline_ms));
	scenario_fail(s, "\"%s\" was logged %d times, not %d%s", text,
		      scenario_logged(s, daemon, text), count,
		      mute ? ", and its process has ended" : "");
}

pid_t scenario_agent(struct scenario *s, const struct scenario_daemon *daemon)
{
	const char *pid;

	if (scenario_logged(s, daemon, "agent ready") == 0)
		scenario_fail(s, "no agent became ready");
	pid = strstr(s->text, "pid=");
	assert_non_null(pid);
	return (pid_t)strtol(pid + strlen("pid="), NULL, 10);
}

const char *scenario_incarnation(struct scenario *s, const struct scenario_daemon *daemon)
{
	return database_text(s->database,
			     "select incarnation from locum.dispatcher where pid = %d "
			     "order by seq desc limit 1",
			     (int)daemon->pid);
}

bool scenario_is_alive(pid_t pid)
{
	char path[64];
	char state = 'X';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	fclose(file);
	return state != 'Z' && state != 'X';
}

void scenario_await_gone(struct scenario *s, pid_t pid)
{
	int64_t deadline_ms = scenario_deadline_ms();

	while (scenario_is_alive(pid))
		if (!scenario_pause(deadline_ms))
			scenario_fail(s, "process %d lives on", (int)pid);
}
