/* What a handler cannot do: get more than its limits, see what is the agent's, keep privileges. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/shim.h"
#include "tests/support/agent_fixture.h"

/* A user that nobody works as on a machine that runs tests: its processes are counted by one limit. */
static char QUIET_USER[] = "games";

static const struct handler_limits NO_LIMITS = { -1, -1, -1, -1, -1 };

/* Runs a script twice: it does without the limits, and does not with them. */
static struct wire_outcome assert_bites(struct agent_fixture *agent, const char *script,
					const struct handler_limits *limits, const char *user)
{
	struct handler *handlers[2];

	handlers[0] = agent_fixture_script(agent, "free", script);
	handlers[1] = agent_fixture_script(agent, "limited", script);
	handlers[1]->limits = *limits;
	for (int i = 0; i < 2; i++)
		handlers[i]->user = user == NULL ? NULL : strdup(user);
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "free", "{}").verdict, VERDICT_DONE);
	return agent_fixture_finish(agent, 2, "limited", "{}");
}

/* The agent goes before others, so that its kill is not late; what it runs does not. */
static void a_handler_has_the_priority_that_the_dispatcher_has(void **state)
{
	struct agent_fixture *agent = *state;
	char script[64];

	snprintf(script, sizeof(script), "test \"$(nice)\" -eq %d", getpriority(PRIO_PROCESS, 0));
	agent_fixture_script(agent, "nice", script);
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "nice", "{}").verdict, VERDICT_DONE);
}

static void a_handler_gets_no_more_memory_than_its_limit(void **state)
{
	struct handler_limits limits = NO_LIMITS;

	limits.memory_bytes = 64 * 1024 * 1024;
	assert_int_equal(
		assert_bites(*state, "dd if=/dev/zero of=/dev/null bs=256M count=1", &limits, NULL)
			.verdict,
		VERDICT_RETRY);
}

static void a_handler_opens_no_more_files_than_its_limit(void **state)
{
	struct handler_limits limits = NO_LIMITS;

	limits.files = 8;
	assert_int_equal(assert_bites(*state,
				      "set /dev/null /dev/null /dev/null; paste $@ $@ $@ $@",
				      &limits, NULL)
				 .verdict,
			 VERDICT_RETRY);
}

static void a_handler_starts_no_more_processes_than_its_limit(void **state)
{
	struct handler_limits limits = NO_LIMITS;

	if (geteuid() != 0)
		skip();
	limits.processes = 4;
	assert_int_equal(assert_bites(*state,
				      "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; kill $!",
				      &limits, QUIET_USER)
				 .verdict,
			 VERDICT_RETRY);
}

static void a_handler_gets_no_more_processor_time_than_its_limit(void **state)
{
	struct handler_limits limits = NO_LIMITS;
	struct wire_outcome outcome;

	limits.cpu_s = 1;
	outcome = assert_bites(*state, "test $(ulimit -t) = unlimited || while :; do :; done",
			       &limits, NULL);
	assert_int_equal(outcome.verdict, VERDICT_RETRY);
	assert_int_equal(outcome.signal, SIGKILL);
}

static void a_handler_writes_no_larger_file_than_its_limit(void **state)
{
	struct handler_limits limits = NO_LIMITS;

	limits.file_bytes = 4096;
	assert_int_equal(assert_bites(*state,
				      "f=$(mktemp) && head -c 8192 /dev/zero > $f; s=$?; "
				      "rm $f; exit $s",
				      &limits, NULL)
				 .verdict,
			 VERDICT_RETRY);
}

static void a_handler_of_another_user_keeps_no_group_of_the_agent(void **state)
{
	static const gid_t OF_THE_AGENT[] = { 0, 4, 4711 };
	struct agent_fixture *agent = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(setgroups(3, OF_THE_AGENT), 0);
	agent_fixture_command(agent, "groups", "/bin/sed", "-n", "s/^Groups:[[:space:]]*//p",
			      "/proc/self/status", NULL)
		->user = strdup("nobody");
	agent_fixture_start(agent);
	assert_int_equal(setgroups(0, NULL), 0);
	assert_true(
		agent_fixture_is(agent_fixture_finish(agent, 1, "groups", "{}").log, "65534 \n"));
}

/* A descriptor that the agent forgot to mark is not inherited either. */
static void a_program_gets_no_descriptor_but_those_of_its_plan(void **state)
{
	char shell[] = "/bin/sh";
	char option[] = "-c";
	char script[] = "for i in /proc/$$/fd/*; do echo -n ${i##*/},; done";
	char *argv[] = { shell, option, script, NULL };
	char *environment[] = { NULL };
	struct handler handler = { .argv = argv, .limits = NO_LIMITS };
	struct program program = { .handler = &handler };
	struct shim_plan plan = { .program = &program,
				  .environment = environment,
				  .fourth = -1,
				  .group = -1,
				  .limits = NO_LIMITS };
	struct shim shim;
	char said[128] = "";
	int ends[2];
	int forgotten;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	plan.output = fcntl(ends[1], F_DUPFD_CLOEXEC, 100);
	plan.input = plan.third = fcntl(ends[0], F_DUPFD_CLOEXEC, 100);
	forgotten = fcntl(ends[0], F_DUPFD, 200);
	assert_int_equal(shim_open(&shim, NULL), 0);
	pid = shim_spawn(&shim, &plan, NULL);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
	/* The last one is that by which the shell reads the list. */
	assert_string_equal(said, "0,1,2,3,4,");
	shim_close(&shim);
	close(forgotten);
	close(ends[0]);
	close(ends[1]);
	close(plan.output);
	close(plan.input);
}

/* Starts the agent as an ordinary user even when the test is root's. */
static void start_as_nobody(struct agent_fixture *agent)
{
	enum { NOBODY = 65534 };
	bool is_root = geteuid() == 0;

	if (is_root) {
		assert_int_equal(chown(agent->directory, NOBODY, NOBODY), 0);
		assert_int_equal(setresgid(NOBODY, NOBODY, 0), 0);
		assert_int_equal(setresuid(NOBODY, NOBODY, 0), 0);
	}
	agent_fixture_start(agent);
	if (is_root) {
		assert_int_equal(setresuid(0, 0, 0), 0);
		assert_int_equal(setresgid(0, 0, 0), 0);
	}
}

/* Its memory and its environment may hold a password; a handler of the same user may not look. */
static void a_handler_cannot_look_into_its_agent(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	setenv("PGPASSWORD", "secret", 1);
	agent_fixture_script(agent, "spy",
			     "env; cat /proc/$PPID/environ; ls /proc/$PPID/fd/; id -u");
	start_as_nobody(agent);
	unsetenv("PGPASSWORD");
	outcome = agent_fixture_finish(agent, 1, "spy", "{}");
	assert_false(agent_fixture_holds(outcome.log, "secret"));
	assert_true(agent_fixture_holds(outcome.log, "environ: Permission denied"));
	assert_true(agent_fixture_holds(outcome.log, "fd/': Permission denied"));
}

/* Beside the tests: the plugins of the same build. */
static char *deeds_path(void)
{
	const char *directory = getenv("LOCUM_TEST_BIN");
	char *path;

	assert_true(asprintf(&path, "%s/../plugins/deeds.so", directory) > 0);
	return path;
}

/* It may have a connection to the database, with a password. */
static void a_handler_cannot_look_into_a_plugin_host_of_its_user(void **state)
{
	struct agent_fixture *agent = *state;
	struct handler *plugin = &agent->handlers[agent->handler_count++];
	struct wire_outcome outcome;
	char pid[16] = "";

	if (geteuid() != 0 || getenv("LOCUM_TEST_BIN") == NULL)
		skip();
	*plugin = (struct handler){ .kind = HANDLER_PLUGIN, .limits = NO_LIMITS };
	plugin->name = strdup("who");
	plugin->symbol = strdup("who");
	plugin->path = deeds_path();
	plugin->user = strdup("nobody");
	agent_fixture_script(agent, "spy",
			     "read -r pid; cat /proc/$pid/comm; cat /proc/$pid/environ; "
			     "head -c 1 /proc/$pid/mem; id -un")
		->user = strdup("nobody");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "who", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(outcome.result.length > 1 && outcome.result.length < sizeof(pid) - 1);
	snprintf(pid, sizeof(pid), "%.*s\n", (int)outcome.result.length, outcome.result.bytes);
	outcome = agent_fixture_finish(agent, 2, "spy", pid);
	assert_true(agent_fixture_holds(outcome.log, "locum-host\n"));
	assert_true(agent_fixture_holds(outcome.log, "environ: Permission denied"));
	assert_true(agent_fixture_holds(outcome.log, "mem' for reading: Permission denied"));
	assert_true(agent_fixture_holds(outcome.log, "nobody\n"));
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_handler_has_the_priority_that_the_dispatcher_has),
		TEST(a_handler_gets_no_more_memory_than_its_limit),
		TEST(a_handler_opens_no_more_files_than_its_limit),
		TEST(a_handler_starts_no_more_processes_than_its_limit),
		TEST(a_handler_gets_no_more_processor_time_than_its_limit),
		TEST(a_handler_writes_no_larger_file_than_its_limit),
		TEST(a_handler_of_another_user_keeps_no_group_of_the_agent),
		TEST(a_program_gets_no_descriptor_but_those_of_its_plan),
		TEST(a_handler_cannot_look_into_its_agent),
		TEST(a_handler_cannot_look_into_a_plugin_host_of_its_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
