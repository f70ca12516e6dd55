#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/cgroup.h"
#include "tests/support/agent_fixture.h"

/* --- what a handler sees: this program, run as one --------------------------------------------- */

static void print_descriptors(void)
{
	printf("open:");
	for (int fd = 0; fd < 4096; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	}
	printf("\n");
}

static void print_signals(void)
{
	sigset_t blocked;
	int odd = 0;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int number = 1; number < SIGRTMAX; number++) {
		struct sigaction action;

		odd += sigismember(&blocked, number) == 1;
		/* A sanitizer has handlers of its own; what a handler inherits can only be ignored. */
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			odd++;
	}
	printf("odd signals: %d\n", odd);
}

static int probe(void)
{
	int parent_death = 0;
	mode_t mask = umask(0);
	char directory[256];

	prctl(PR_GET_PDEATHSIG, &parent_death);
	print_descriptors();
	print_signals();
	printf("own session: %d\n", getsid(0) == getpid());
	printf("own group: %d\n", getpgrp() == getpid());
	printf("parent death: %d\n", parent_death);
	printf("no new privileges: %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("umask: %o\n", mask);
	printf("directory: %s\n", getcwd(directory, sizeof(directory)));
	printf("position: %d\n", (int)lseek(0, 0, SEEK_CUR));
	return 0;
}

static const char *own_path(void)
{
	static char path[512];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(length > 0);
	path[length] = '\0';
	return path;
}

static void assert_says(struct agent_fixture *agent, int64_t id, const char *handler,
			const char *line)
{
	struct wire_outcome outcome = agent_fixture_finish(agent, id, handler, "{}");

	if (agent_fixture_holds(outcome.log, line))
		return;
	fail_msg("wanted \"%s\" in: %.*s %.*s", line, (int)outcome.log.length, outcome.log.bytes,
		 (int)outcome.error.length, outcome.error.bytes);
}

/* --- tests ------------------------------------------------------------------------------------- */

static void a_handler_has_a_clean_process_of_its_own(void **state)
{
	static const char EXPECTED[] = "open: 0 1 2 3\n"
				       "odd signals: 0\n"
				       "own session: 1\n"
				       "own group: 1\n"
				       "parent death: 9\n"
				       "no new privileges: 1\n"
				       "umask: 77\n"
				       "directory: /\n"
				       "position: 0\n";
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_command(agent, "probe", own_path(), "probe", NULL);
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "probe", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_int_equal(outcome.log.length, sizeof(EXPECTED) - 1);
	assert_memory_equal(outcome.log.bytes, EXPECTED, sizeof(EXPECTED) - 1);
}

static void a_handler_runs_in_its_directory(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_command(agent, "pwd", "/bin/pwd", NULL)->directory = strdup("/usr/bin");
	agent_fixture_start(agent);
	assert_true(
		agent_fixture_is(agent_fixture_finish(agent, 1, "pwd", "{}").log, "/usr/bin\n"));
}

/* What a control group would keep is no limit of the process then. */
static bool is_kept_by_group(const char *line)
{
	struct handler_limits limits = { .memory_bytes = 1 << 30, .processes = 1000 };
	struct cgroup cgroup;
	int enter_fd = -1;

	if (cgroup_open(&cgroup, -1, NULL) != 0)
		return false;
	cgroup_make(&cgroup, &limits, &enter_fd);
	close(enter_fd);
	cgroup_close(&cgroup);
	return (limits.memory_bytes < 0 && strstr(line, "address space") != NULL) ||
	       (limits.processes < 0 && strstr(line, "processes") != NULL);
}

static void limits_hold_for_the_handler(void **state)
{
	static const char *const LINES[] = {
		"Max core file size        0                    0 ",
		"Max address space         536870912            536870912 ",
		"Max open files            77                   77 ",
		"Max processes             12345                12345 ",
		"Max cpu time              55                   55 ",
		"Max file size             50688                50688 ",
	};
	struct agent_fixture *agent = *state;

	agent_fixture_command(agent, "limits", "/bin/cat", "/proc/self/limits", NULL)->limits =
		(struct handler_limits){
			.memory_bytes = 512 * 1024 * 1024,
			.files = 77,
			.processes = 12345,
			.cpu_s = 55,
			.file_bytes = 50688,
		};
	agent_fixture_start(agent);
	for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
		if (!is_kept_by_group(LINES[i]))
			assert_says(agent, (int64_t)i + 1, "limits", LINES[i]);
	}
}

static void a_handler_gets_the_agents_own_limit_of_files_and_not_its_raised_one(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "files", "test $(ulimit -Sn) -eq 333");
	agent->soft_files = 333;
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "files", "{}").verdict, VERDICT_DONE);
}

static void a_handler_runs_as_its_user_with_its_groups(void **state)
{
	struct agent_fixture *agent = *state;

	if (geteuid() != 0)
		skip();
	agent_fixture_command(agent, "id", "/usr/bin/id", NULL)->user = strdup("nobody");
	agent_fixture_start(agent);
	assert_says(agent, 1, "id", "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n");
}

static void another_user_may_open_its_descriptors_by_name(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	if (geteuid() != 0)
		skip();
	agent_fixture_script(agent, "names",
			     "cat /dev/stdin > /dev/stdout; echo err > /dev/stderr; "
			     "echo '{}' > /dev/fd/3")
		->user = strdup("nobody");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "names", "payload ");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(agent_fixture_is(outcome.log, "payload err\n"));
	assert_true(agent_fixture_is(outcome.result, "{}\n"));
}

static void the_death_of_the_agent_kills_its_handlers(void **state)
{
	struct agent_fixture *agent = *state;
	struct handler *handler;

	handler = agent_fixture_script(agent, "wait",
				       "exec 9> $FIFO; echo ready >&9; exec sleep 1000");
	if (geteuid() == 0)
		handler->user = strdup("nobody");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	fifo_await(&agent->fifo, "ready");
	kill(agent->pid, SIGKILL);
	fifo_await_all_dead(&agent->fifo);
	assert_int_equal(agent_fixture_await_exit(agent), -SIGKILL);
}

static void the_lock_is_held_by_the_agent_and_never_by_a_handler(void **state)
{
	struct agent_fixture *agent = *state;

	/* Only the main process dies with the agent; what it started ends when the fifo tells it. */
	agent_fixture_script(agent, "wait",
			     "exec 9> $FIFO; (trap '' PIPE; while echo alive; do :; "
			     "done >&9) & wait");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	fifo_await(&agent->fifo, "alive");
	assert_false(agent_fixture_lock_is_free(agent));
	kill(agent->pid, SIGKILL);
	assert_int_equal(agent_fixture_await_exit(agent), -SIGKILL);
	assert_true(fifo_is_held(&agent->fifo));
	assert_true(agent_fixture_lock_is_free(agent));
}

/* --- environment ------------------------------------------------------------------------------- */

static void assert_environment(struct wire_bytes log, const char *const *lines, size_t count)
{
	size_t got = 0;

	for (uint32_t i = 0; i < log.length; i++)
		got += log.bytes[i] == '\n';
	for (size_t i = 0; i < count; i++) {
		if (!agent_fixture_holds(log, lines[i]))
			fail_msg("no %s in: %.*s", lines[i], (int)log.length, log.bytes);
	}
	if (got != count)
		fail_msg("%zu variables and not %zu: %.*s", got, count, (int)log.length, log.bytes);
}

static void the_environment_is_the_whitelist_and_nothing_else(void **state)
{
	static const char *const EXPECTED[] = {
		"LOCUM_JOB_ID=42\n",
		"LOCUM_CLAIM_ID=c1000000-0000-0000-2a00-000000000000\n",
		"LOCUM_CLAIM_SEQ=7\n",
		"LOCUM_ATTEMPT=3\n",
		"LOCUM_QUEUE=mail\n",
		"LOCUM_HANDLER=env\n",
		"TRACEPARENT=00-1-2-03\n",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
		"HOME=",
		"USER=",
		"LOGNAME=",
		"SHELL=/",
		"LANG=C.UTF-8\n",
		"TZ=Europe/Berlin\n",
		"OWN=value with spaces\n",
	};
	struct agent_fixture *agent = *state;
	struct wire_job job = agent_fixture_job(42, "env", "{}");
	struct handler *handler = agent_fixture_command(agent, "env", "/usr/bin/env", NULL);

	setenv("LANG", "C.UTF-8", 1);
	setenv("TZ", "Europe/Berlin", 1);
	setenv("SECRET", "of the agent", 1);
	handler->environment[0] = strdup("OWN=value with spaces");
	handler->environment[1] = strdup("LOCUM_JOB_ID=1");
	job.attempt = 3;
	job.queue = (struct wire_bytes){ "mail", 4 };
	job.traceparent = (struct wire_bytes){ "00-1-2-03", 9 };
	agent_fixture_start(agent);
	agent_fixture_send(agent, &job, 1);
	assert_environment(agent_fixture_outcome(agent, 42).log, EXPECTED,
			   sizeof(EXPECTED) / sizeof(EXPECTED[0]));
}

static void what_is_absent_is_not_in_the_environment(void **state)
{
	static const char *const EXPECTED[] = {
		"LOCUM_JOB_ID=1\n",
		"LOCUM_CLAIM_ID=",
		"LOCUM_CLAIM_SEQ=",
		"LOCUM_ATTEMPT=1\n",
		"LOCUM_QUEUE=",
		"LOCUM_HANDLER=",
		"PATH=/only/here\n",
		"HOME=/elsewhere\n",
		"USER=",
		"LOGNAME=",
		"SHELL=",
	};
	struct agent_fixture *agent = *state;
	struct handler *handler = agent_fixture_command(agent, "env", "/usr/bin/env", NULL);

	unsetenv("LANG");
	unsetenv("TZ");
	handler->environment[0] = strdup("PATH=/only/here");
	handler->environment[1] = strdup("HOME=/elsewhere");
	agent_fixture_start(agent);
	assert_environment(agent_fixture_finish(agent, 1, "env", "{}").log, EXPECTED,
			   sizeof(EXPECTED) / sizeof(EXPECTED[0]));
}

static void the_deadline_is_in_the_environment_when_there_is_one(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "deadline",
			     "left=$(($(date -d \"$LOCUM_DEADLINE\" +%s) - $(date +%s))); "
			     "echo \"$LOCUM_DEADLINE\" | "
			     "grep -Eq '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z$' && "
			     "test $left -gt 3500 -a $left -le 3601")
		->timeout_ms = 3600 * 1000;
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "deadline", "{}").exit_code, 0);
}

static void a_user_has_its_own_home(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	if (geteuid() != 0)
		skip();
	agent_fixture_command(agent, "env", "/usr/bin/env", NULL)->user = strdup("daemon");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "env", "{}");
	assert_true(agent_fixture_holds(outcome.log, "HOME=/usr/sbin\n"));
	assert_true(agent_fixture_holds(outcome.log, "USER=daemon\n"));
	assert_true(agent_fixture_holds(outcome.log, "LOGNAME=daemon\n"));
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_handler_has_a_clean_process_of_its_own),
		TEST(a_handler_runs_in_its_directory),
		TEST(limits_hold_for_the_handler),
		TEST(a_handler_gets_the_agents_own_limit_of_files_and_not_its_raised_one),
		TEST(a_handler_runs_as_its_user_with_its_groups),
		TEST(another_user_may_open_its_descriptors_by_name),
		TEST(the_death_of_the_agent_kills_its_handlers),
		TEST(the_lock_is_held_by_the_agent_and_never_by_a_handler),
		TEST(the_environment_is_the_whitelist_and_nothing_else),
		TEST(what_is_absent_is_not_in_the_environment),
		TEST(the_deadline_is_in_the_environment_when_there_is_one),
		TEST(a_user_has_its_own_home),
	};

	if (argc == 2 && strcmp(argv[1], "probe") == 0)
		return probe();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
