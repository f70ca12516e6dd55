/* The private cluster, made by an ordinary user in a folder of its own: as root, by nobody. */
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/cli.h"

struct home {
	char folder[64];
	char bin[96];
	char state[96];
};

static void copy_program(const struct home *home, const char *name)
{
	struct command command;
	char target[160];

	snprintf(target, sizeof(target), "%s/%s", home->bin, name);
	command_init(&command, "cp");
	command_add(&command, cli_program(name), target, NULL);
	command_run(&command, "", 0);
	assert_int_equal(command.code, 0);
	command_fini(&command);
}

static void give_away(const char *path)
{
	const struct passwd *nobody = getpwnam("nobody");

	if (geteuid() == 0)
		assert_int_equal(chown(path, nobody->pw_uid, nobody->pw_gid), 0);
}

/* The build may lie where nobody cannot go, so the programs come along. */
static int make_home(void **state)
{
	struct home *home = calloc(1, sizeof(*home));

	snprintf(home->folder, sizeof(home->folder), "/tmp/locum-up-XXXXXX");
	assert_non_null(mkdtemp(home->folder));
	snprintf(home->bin, sizeof(home->bin), "%s/bin", home->folder);
	snprintf(home->state, sizeof(home->state), "%s/state", home->folder);
	assert_int_equal(chmod(home->folder, 0755), 0);
	assert_int_equal(mkdir(home->bin, 0755), 0);
	assert_int_equal(mkdir(home->state, 0700), 0);
	give_away(home->state);
	copy_program(home, "locum");
	copy_program(home, "locumd");
	copy_program(home, "locum-agent");
	*state = home;
	return 0;
}

static void prepare(struct command *command, const struct home *home)
{
	static char program[160];

	snprintf(program, sizeof(program), "%s/locum", home->bin);
	if (geteuid() == 0) {
		command_init(command, "setpriv");
		command_add(command, "--reuid=nobody", "--regid=nogroup", "--clear-groups", program,
			    NULL);
	} else {
		command_init(command, program);
	}
	command_setenv(command, "HOME", home->state);
	command_setenv(command, "XDG_STATE_HOME", home->state);
}

#define locum(command, home, ...)                                                                  \
	do {                                                                                       \
		prepare(command, home);                                                            \
		command_add(command, __VA_ARGS__, NULL);                                           \
		command_run(command, "", 0);                                                       \
	} while (0)

#define expect(home, code, words, ...)                                                             \
	do {                                                                                       \
		struct command expected;                                                           \
                                                                                                   \
		locum(&expected, home, __VA_ARGS__);                                               \
		cli_assert(&expected, code, words);                                                \
		command_fini(&expected);                                                           \
	} while (0)

static int stop(void **state)
{
	const struct home *home = *state;
	struct command command;

	locum(&command, home, "down");
	command_fini(&command);
	return 0;
}

static int remove_home(void **state)
{
	struct home *home = *state;
	struct command command;

	stop(state);
	command_init(&command, "rm");
	command_add(&command, "-rf", home->folder, NULL);
	command_run(&command, "", 0);
	command_fini(&command);
	free(home);
	return 0;
}

static int read_pid(const struct home *home, const char *name)
{
	char path[200];
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "%s/locum/%s", home->state, name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	return pid;
}

static void submit_echo_and_wait(const struct home *home)
{
	struct command command;
	char id[32];

	locum(&command, home, "submit", "echo", "--payload", "{\"n\": 1.50}");
	cli_assert(&command, 0, "");
	snprintf(id, sizeof(id), "%.*s", (int)strcspn(command.printed, "\n"), command.printed);
	command_fini(&command);
	expect(home, 0, "", "wait", "--timeout", "40s", id);
	locum(&command, home, "show", id);
	assert_non_null(strstr(command.printed, "result:\n{\"n\": 1.50}\n"));
	command_fini(&command);
}

static void start(struct command *command, const struct home *home)
{
	prepare(command, home);
	command_add(command, "up", NULL);
	command_start(command);
	command_await_said(command, "dispatcher registered");
}

static void the_database_alone_comes_and_goes_and_keeps_its_jobs(void **state)
{
	const struct home *home = *state;
	struct command command;

	expect(home, 69, "no database: run \"locum up\"", "list");
	locum(&command, home, "up", "--no-dispatcher");
	cli_assert(&command, 0, "schema made");
	assert_non_null(strstr(command.printed, "/state/locum/run"));
	command_fini(&command);
	expect(home, 0, "", "submit", "noop");
	expect(home, 0, "the database is stopped", "down");
	expect(home, 69, "\"locum up\" starts it", "list");
	expect(home, 0, "the database is not running", "down");
	expect(home, 0, "", "up", "--no-dispatcher");
	locum(&command, home, "list", "-q");
	assert_string_equal(command.printed, "1\n");
	command_fini(&command);
}

static void nobody_but_the_owner_gets_in(void **state)
{
	const struct home *home = *state;
	struct command command;
	char conninfo[200];

	if (geteuid() != 0)
		skip();
	expect(home, 0, "", "up", "--no-dispatcher");
	snprintf(conninfo, sizeof(conninfo), "host=%s/locum/run dbname=locum user=postgres",
		 home->state);
	cli_run(&command, NULL, "list", "-d", conninfo, NULL);
	cli_assert(&command, 77, "Peer authentication failed");
	command_fini(&command);
}

static void up_runs_jobs_until_down_drains_it(void **state)
{
	const struct home *home = *state;
	struct command up;

	start(&up, home);
	submit_echo_and_wait(home);
	expect(home, 1, "locum is up already: its dispatcher has pid", "up");
	expect(home, 0, "stopping the dispatcher", "down");
	command_finish(&up);
	assert_int_equal(up.code, 0);
	command_fini(&up);
}

static void an_interrupted_up_leaves_the_database_running(void **state)
{
	const struct home *home = *state;
	struct command up;

	start(&up, home);
	assert_int_equal(kill(read_pid(home, "dispatcher.pid"), SIGINT), 0);
	command_finish(&up);
	command_fini(&up);
	expect(home, 0, "", "list");
}

static void up_works_after_everything_was_killed(void **state)
{
	const struct home *home = *state;
	struct command up;

	start(&up, home);
	assert_int_equal(kill(read_pid(home, "data/postmaster.pid"), SIGKILL), 0);
	assert_int_equal(kill(read_pid(home, "dispatcher.pid"), SIGKILL), 0);
	command_finish(&up);
	command_fini(&up);
	start(&up, home);
	submit_echo_and_wait(home);
	expect(home, 0, "stopping the dispatcher", "down");
	command_finish(&up);
	command_fini(&up);
}

static void a_folder_that_cannot_be_used_is_named(void **state)
{
	struct home other = *(const struct home *)*state;

	snprintf(other.state, sizeof(other.state), "/proc/nowhere");
	expect(&other, 78, "cannot make the folder /proc/nowhere/locum", "up");
	memset(other.state, 'x', sizeof(other.state) - 1);
	other.state[0] = '/';
	expect(&other, 78, "too deep for a socket", "up");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_database_alone_comes_and_goes_and_keeps_its_jobs,
					  stop),
		cmocka_unit_test_teardown(nobody_but_the_owner_gets_in, stop),
		cmocka_unit_test_teardown(up_runs_jobs_until_down_drains_it, stop),
		cmocka_unit_test_teardown(an_interrupted_up_leaves_the_database_running, stop),
		cmocka_unit_test_teardown(up_works_after_everything_was_killed, stop),
		cmocka_unit_test(a_folder_that_cannot_be_used_is_named),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
