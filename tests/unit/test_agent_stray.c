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

/*
 * This program, run as a handler, leaves a daemon behind: two forks and a new session. The daemon keeps
 * nothing open but the fifo, by which the test knows that it lives, and ignores what can be ignored.
 */
enum { FIFO_FD = 9 };

static void be_daemon(const char *how)
{
	setsid();
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (int fd = 0; fd < FIFO_FD; fd++)
		close(fd);
	if (strcmp(how, "hidden") == 0)
		prctl(PR_SET_DUMPABLE, 0);
	if (strcmp(how, "bare") == 0)
		execle("/bin/sh", "sh", "-c", "echo daemon >&9; sleep 1000; exit", (char *)NULL,
		       (char *[]){ NULL });
	if (strcmp(how, "brood") == 0 && fork() != 0)
		pause();
	dprintf(FIFO_FD, "daemon\n");
	for (;;)
		pause();
}

static int leave_daemon(const char *how, const char *fifo)
{
	char go;

	dup2(open(fifo, O_WRONLY), FIFO_FD);
	if (fork() == 0) {
		if (fork() == 0)
			be_daemon(how);
		_exit(0);
	}
	/* The test answers by the payload's second half: "go" in a fifo beside. */
	if (strcmp(how, "stay") == 0)
		pause();
	return read(open(getenv("GO"), O_RDONLY), &go, 1) == 1 ? 0 : 1;
}

static const char *own_path(void)
{
	static char path[512];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(length > 0);
	path[length] = '\0';
	return path;
}

/* Skips the test, with the reason, where this machine does not let agents make control groups. */
static void require_cgroups(void)
{
	struct cgroup cgroup;
	struct error err;

	if (cgroup_open(&cgroup, -1, &err) != 0) {
		print_message("control groups are not tested: %s\n", err.text);
		skip();
	}
	cgroup_close(&cgroup);
}

static void add_daemon(struct agent_fixture *agent, const char *how)
{
	struct handler *handler = agent_fixture_command(agent, how, own_path(), "leave", how,
							agent->fifo.path, NULL);

	assert_true(asprintf(&handler->environment[0], "GO=%s", agent->fifo.go) > 0);
}

/* The end of a job is the end of all that it started, and only then is there an outcome. */
static void assert_cleaned(struct agent_fixture *agent, const char *how)
{
	struct wire_outcome outcome;

	add_daemon(agent, how);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, how, "{}");
	fifo_await(&agent->fifo, "daemon");
	fifo_go(&agent->fifo);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_false(fifo_is_held(&agent->fifo));
}

static void a_daemon_ends_with_its_job(void **state)
{
	assert_cleaned(*state, "plain");
}

static void a_daemon_with_children_ends_with_its_job(void **state)
{
	assert_cleaned(*state, "brood");
}

static void a_daemon_without_environment_ends_when_nothing_else_runs(void **state)
{
	assert_cleaned(*state, "bare");
}

static void a_daemon_that_hides_its_environment_ends_when_nothing_else_runs(void **state)
{
	assert_cleaned(*state, "hidden");
}

static void the_daemon_of_a_job_ends_while_another_job_runs_on(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	add_daemon(agent, "plain");
	agent_fixture_script(agent, "long", "sleep 1000");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "long", "{}");
	agent_fixture_run(agent, 2, "plain", "{}");
	fifo_await(&agent->fifo, "daemon");
	fifo_go(&agent->fifo);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_false(fifo_is_held(&agent->fifo));
	assert_false(agent_fixture_has_outcome(agent, 1));
}

/* Nothing but its control group tells whose such a daemon is. */
static void assert_cleaned_beside_another_job(struct agent_fixture *agent, const char *how)
{
	require_cgroups();
	add_daemon(agent, how);
	agent_fixture_script(agent, "long", "sleep 1000");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "long", "{}");
	agent_fixture_run(agent, 2, how, "{}");
	fifo_await(&agent->fifo, "daemon");
	fifo_go(&agent->fifo);
	assert_int_equal(agent_fixture_outcome(agent, 2).verdict, VERDICT_DONE);
	assert_false(fifo_is_held(&agent->fifo));
	assert_false(agent_fixture_has_outcome(agent, 1));
}

static void a_daemon_without_environment_ends_with_its_job_in_a_control_group(void **state)
{
	assert_cleaned_beside_another_job(*state, "bare");
}

static void a_daemon_that_hides_ends_with_its_job_in_a_control_group(void **state)
{
	assert_cleaned_beside_another_job(*state, "hidden");
}

/* A host stays when its jobs have ended, so that there is always something that runs. */
static void a_daemon_without_environment_ends_with_its_job_beside_an_idle_plugin_host(void **state)
{
	struct agent_fixture *agent = *state;
	struct handler *plugin = &agent->handlers[agent->handler_count++];

	require_cgroups();
	if (getenv("LOCUM_TEST_BIN") == NULL)
		skip();
	*plugin = (struct handler){ .kind = HANDLER_PLUGIN, .limits = { -1, -1, -1, -1, -1 } };
	plugin->name = strdup("done");
	plugin->symbol = strdup("done");
	assert_true(asprintf(&plugin->path, "%s/../plugins/deeds.so", getenv("LOCUM_TEST_BIN")) >
		    0);
	add_daemon(agent, "bare");
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "done", "{}").verdict, VERDICT_DONE);
	agent_fixture_run(agent, 2, "bare", "{}");
	fifo_await(&agent->fifo, "daemon");
	fifo_go(&agent->fifo);
	assert_int_equal(agent_fixture_outcome(agent, 2).verdict, VERDICT_DONE);
	assert_false(fifo_is_held(&agent->fifo));
}

/* What such an agent ran lives on in them, until somebody has its lock. */
static void control_groups_of_a_killed_agent_are_ended_and_cleared_away(void **state)
{
	struct agent_fixture *agent = *state;
	struct cgroup cgroup;
	struct stat lock;
	int lock_fd;
	pid_t pid;
	char path[CGROUP_PATH_SIZE];

	require_cgroups();
	agent_fixture_script(agent, "wait", "echo ready > $FIFO; sleep 1000");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	fifo_await(&agent->fifo, "ready");
	pid = agent->pid;
	kill(pid, SIGKILL);
	agent_fixture_await_exit(agent);
	snprintf(path, sizeof(path), "%.200s/lock", agent->directory);
	lock_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(lock_fd, &lock), 0);
	assert_int_equal(cgroup_end_left(lock_fd), 0);
	close(lock_fd);
	assert_int_equal(cgroup_open(&cgroup, -1, NULL), 0);
	snprintf(path, sizeof(path), "%.*s/locum-agent-%d-%llx-%llx",
		 (int)(strrchr(cgroup.path, '/') - cgroup.path), cgroup.path, (int)pid,
		 (unsigned long long)lock.st_dev, (unsigned long long)lock.st_ino);
	cgroup_close(&cgroup);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(cgroup.path, F_OK), -1);
}

static void the_end_of_a_job_leaves_the_daemons_of_others_alone(void **state)
{
	struct agent_fixture *agent = *state;

	add_daemon(agent, "plain");
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "plain", "{}");
	fifo_await(&agent->fifo, "daemon");
	for (int64_t id = 2; id <= 20; id++)
		assert_int_equal(agent_fixture_finish(agent, id, "true", "{}").verdict,
				 VERDICT_DONE);
	assert_true(fifo_is_held(&agent->fifo));
	fifo_go(&agent->fifo);
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_DONE);
	assert_false(fifo_is_held(&agent->fifo));
}

static void a_background_process_that_holds_the_pipes_delays_nothing(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "holds", "echo said; echo 1 >&3; sleep 1000 & exit 0");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "holds", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(agent_fixture_is(outcome.log, "said\n"));
	assert_true(agent_fixture_is(outcome.result, "1\n"));
}

static void other_process_groups_of_the_session_end_with_the_job(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "groups",
			     "exec 9> $FIFO; set -m; sleep 1000 & sleep 1000 & echo ready >&9");
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "groups", "{}").verdict, VERDICT_DONE);
	assert_false(fifo_is_held(&agent->fifo));
}

static void a_fork_storm_ends_with_its_job(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "storm",
			     "exec 9> $FIFO; i=0; while [ $i -lt 60 ]; do i=$((i+1)); "
			     "setsid sh -c '(setsid sleep 1000 &) & sleep 1000 & sleep 1000' & "
			     "done");
	agent_fixture_start(agent);
	for (int64_t id = 1; id <= 5; id++) {
		assert_int_equal(agent_fixture_finish(agent, id, "storm", "{}").verdict,
				 VERDICT_DONE);
		assert_false(fifo_is_held(&agent->fifo));
	}
}

static void a_lost_job_takes_its_daemon_with_it(void **state)
{
	struct agent_fixture *agent = *state;

	add_daemon(agent, "stay");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "stay", "{}");
	fifo_await(&agent->fifo, "daemon");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_LOST);
	fifo_await_all_dead(&agent->fifo);
}

static void the_end_of_the_dispatcher_kills_everything(void **state)
{
	static const char *const HOW[] = { "plain", "brood", "bare", "hidden" };
	struct agent_fixture *agent = *state;

	agent->slots = 10;
	for (size_t i = 0; i < 4; i++)
		add_daemon(agent, HOW[i]);
	agent_fixture_script(agent, "deaf",
			     "trap '' TERM; exec 9> $FIFO; echo deaf >&9; "
			     "while :; do sleep 1000; done")
		->fence = HANDLER_FENCE_FINISH;
	agent_fixture_start(agent);
	for (int64_t i = 0; i < 4; i++) {
		agent_fixture_run(agent, i + 1, HOW[i], "{}");
		fifo_await(&agent->fifo, "daemon");
	}
	agent_fixture_run(agent, 9, "deaf", "{}");
	fifo_await(&agent->fifo, "deaf");
	agent_fixture_hang_up(agent);
	assert_int_equal(agent_fixture_await_exit(agent), 0);
	/* The agent ends last: its lock proves that nothing runs. */
	assert_false(fifo_is_held(&agent->fifo));
	assert_true(agent_fixture_lock_is_free(agent));
}

static void stop_kills_what_escaped(void **state)
{
	struct agent_fixture *agent = *state;

	add_daemon(agent, "stay");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "stay", "{}");
	fifo_await(&agent->fifo, "daemon");
	agent_fixture_stop(agent, 1000);
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_INTERRUPTED);
	assert_int_equal(agent_fixture_await_exit(agent), 0);
	assert_false(fifo_is_held(&agent->fifo));
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_daemon_ends_with_its_job),
		TEST(a_daemon_with_children_ends_with_its_job),
		TEST(a_daemon_without_environment_ends_when_nothing_else_runs),
		TEST(a_daemon_that_hides_its_environment_ends_when_nothing_else_runs),
		TEST(the_daemon_of_a_job_ends_while_another_job_runs_on),
		TEST(a_daemon_without_environment_ends_with_its_job_in_a_control_group),
		TEST(a_daemon_that_hides_ends_with_its_job_in_a_control_group),
		TEST(a_daemon_without_environment_ends_with_its_job_beside_an_idle_plugin_host),
		TEST(control_groups_of_a_killed_agent_are_ended_and_cleared_away),
		TEST(the_end_of_a_job_leaves_the_daemons_of_others_alone),
		TEST(a_background_process_that_holds_the_pipes_delays_nothing),
		TEST(other_process_groups_of_the_session_end_with_the_job),
		TEST(a_fork_storm_ends_with_its_job),
		TEST(a_lost_job_takes_its_daemon_with_it),
		TEST(the_end_of_the_dispatcher_kills_everything),
		TEST(stop_kills_what_escaped),
	};

	if (argc == 4 && strcmp(argv[1], "leave") == 0)
		return leave_daemon(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
