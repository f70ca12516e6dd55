/* What a handler can learn of a password that its dispatcher was given. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { NOBODY = 65534, ENVIRONMENT_BYTES = 1 << 16 };

/* Starts the dispatcher as an ordinary user even when the test is root's. */
static struct scenario_daemon *start_as_nobody(struct scenario *s)
{
	struct scenario_daemon *daemon = scenario_daemon(s, "secret", "%s", "");
	bool is_root = geteuid() == 0;
	char conninfo[1024];

	snprintf(conninfo, sizeof(conninfo), "%s password=in-the-arguments", s->database->conninfo);
	setenv("PGPASSWORD", "in-the-environment", 1);
	if (is_root) {
		assert_int_equal(chown(s->directory, NOBODY, NOBODY), 0);
		assert_int_equal(setresgid(NOBODY, NOBODY, 0), 0);
		assert_int_equal(setresuid(NOBODY, NOBODY, 0), 0);
	}
	scenario_launch(s, daemon, "-d", conninfo, NULL);
	if (is_root) {
		assert_int_equal(setresuid(0, 0, 0), 0);
		assert_int_equal(setresgid(0, 0, 0), 0);
	}
	unsetenv("PGPASSWORD");
	scenario_await_logged(s, daemon, 1, "agent ready");
	return daemon;
}

static void read_proc(pid_t pid, const char *name, char text[static ENVIRONMENT_BYTES])
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	length = read(fd, text, ENVIRONMENT_BYTES - 1);
	assert_true(length > 0);
	close(fd);
	for (ssize_t i = 0; i < length; i++) {
		if (text[i] == '\0')
			text[i] = '\n';
	}
	text[length] = '\0';
}

static pid_t agent_of(const struct scenario_daemon *daemon)
{
	char name[64];
	static char text[ENVIRONMENT_BYTES];

	snprintf(name, sizeof(name), "task/%d/children", (int)daemon->pid);
	read_proc(daemon->pid, name, text);
	return (pid_t)strtol(text, NULL, 10);
}

static void no_handler_of_the_dispatchers_user_learns_its_password(void **state)
{
	static char text[ENVIRONMENT_BYTES];
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "spy", "",
			 "dispatcher=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$PPID/status); "
			 "cat /proc/$PPID/environ /proc/$dispatcher/environ "
			 "/proc/$dispatcher/cmdline; head -c 1 /proc/$dispatcher/mem; exit 0");
	daemon = start_as_nobody(s);
	scenario_submit(s, 1, "spy");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "t", "select log like '%%locumd%%' from locum.finished");
	assert_sql(s->database, "f", "select log like '%%in-the-%%' from locum.finished");
	assert_sql(s->database, "3",
		   "select count(*) from locum.finished, "
		   "regexp_matches(log, 'Permission denied', 'g')");
	read_proc(daemon->pid, "cmdline", text);
	assert_null(strstr(text, "in-the-arguments"));
	if (geteuid() == 0) {
		read_proc(agent_of(daemon), "environ", text);
		assert_null(strstr(text, "PGPASSWORD"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(no_handler_of_the_dispatchers_user_learns_its_password),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
