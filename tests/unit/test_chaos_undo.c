#include "tools/chaos/undo/undo.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/chaos/stage/process.h"
#include "tools/chaos/undo/undo_thing.h"

enum { PATIENCE_MS = 120000, PATH_SIZE = 128 };

static struct undo *open_ledger(int *cleaned)
{
	struct error err = { 0 };
	struct undo *undo = undo_open(cleaned, &err);

	if (undo == NULL)
		fail_msg("%s", err.text);
	return undo;
}

static void close_ledger(struct undo *undo)
{
	struct error err = { 0 };

	if (undo_close(undo, &err) != 0)
		fail_msg("%s", err.text);
}

/* A program that stays, and does not die with the harness. */
static pid_t spawn_stayer(struct undo *undo)
{
	const char *const argv[] = { "tail", "-f", "/dev/null", NULL };
	const struct undo_spawn spawn = { .argv = argv, .death_signal = SIGWINCH };
	struct error err = { 0 };
	pid_t pid;

	if (undo_spawn(undo, &spawn, &pid, &err) != 0)
		fail_msg("%s", err.text);
	return pid;
}

static void name_folder(char path[static PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "/tmp/locum-chaos-test-%d", (int)getpid());
}

static void fill_folder(struct undo *undo, const char *path)
{
	char file[PATH_SIZE + 8];
	int fd;

	assert_int_equal(undo_add(undo, UNDO_FOLDER, path, NULL), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(file, sizeof(file), "%s/file", path);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

/* --- other harnesses ---------------------------------------------------------------------------- */

struct harness {
	pid_t pid;
	pid_t stayer; /* what it started */
	char folder[PATH_SIZE];
};

/* Starts one that makes a process and a folder, and waits. */
static void start_harness(struct harness *harness)
{
	int ends[2];

	name_folder(harness->folder);
	assert_int_equal(pipe(ends), 0);
	harness->pid = fork();
	assert_true(harness->pid >= 0);
	if (harness->pid == 0) {
		int cleaned;
		struct undo *undo = open_ledger(&cleaned);
		pid_t stayer;

		fill_folder(undo, harness->folder);
		stayer = spawn_stayer(undo);
		if (write(ends[1], &stayer, sizeof(stayer)) == sizeof(stayer))
			pause();
		_exit(1);
	}
	assert_int_equal(read(ends[0], &harness->stayer, sizeof(harness->stayer)),
			 sizeof(harness->stayer));
	close(ends[0]);
	close(ends[1]);
}

static void kill_harness(const struct harness *harness)
{
	kill(harness->pid, SIGKILL);
	assert_int_equal(waitpid(harness->pid, NULL, 0), harness->pid);
}

static void next_harness_cleans_up_after_a_killed_one(void **state)
{
	struct harness harness;
	struct undo *undo;
	int cleaned;

	(void)state;
	start_harness(&harness);
	kill_harness(&harness);
	assert_true(process_lives(harness.stayer));

	undo = open_ledger(&cleaned);
	assert_true(cleaned >= 2);
	assert_false(process_lives(harness.stayer));
	assert_int_not_equal(access(harness.folder, F_OK), 0);
	close_ledger(undo);
}

static void stopped_process_of_a_killed_harness_is_ended(void **state)
{
	struct harness harness;
	int cleaned;

	(void)state;
	start_harness(&harness);
	kill(harness.stayer, SIGSTOP);
	kill_harness(&harness);
	close_ledger(open_ledger(&cleaned));
	assert_false(process_lives(harness.stayer));
}

/* Begins and ends another, which is no parent of the first one. */
static void pass_by(void)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct undo *undo = undo_open(&(int){ 0 }, NULL);

		_exit(undo == NULL || undo_close(undo, NULL) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_a_living_harness_made_is_left_alone(void **state)
{
	struct harness harness;
	int cleaned;

	(void)state;
	start_harness(&harness);
	pass_by();
	assert_true(process_lives(harness.stayer));
	assert_int_equal(access(harness.folder, F_OK), 0);
	kill_harness(&harness);
	close_ledger(open_ledger(&cleaned));
}

/* --- one's own ---------------------------------------------------------------------------------- */

static void closing_ends_orphans_of_orphans(void **state)
{
	const char *const argv[] = { "sh", "-c", "(tail -f /dev/null & echo $! >&2) & wait", NULL };
	char path[PATH_SIZE];
	char file[PATH_SIZE + 8];
	const struct undo_spawn spawn = { .argv = argv, .output = file };
	struct error err = { 0 };
	struct undo *undo;
	FILE *told;
	pid_t pid;
	int orphan;
	int cleaned;

	(void)state;
	undo = open_ledger(&cleaned);
	name_folder(path);
	fill_folder(undo, path);
	snprintf(file, sizeof(file), "%s/told", path);
	assert_int_equal(undo_spawn(undo, &spawn, &pid, &err), 0);
	assert_int_equal(undo_wait(undo, pid, PATIENCE_MS, NULL, &err), 1);
	told = fopen(file, "r");
	assert_non_null(told);
	assert_int_equal(fscanf(told, "%d", &orphan), 1);
	fclose(told);
	assert_true(process_lives(orphan));

	close_ledger(undo);
	assert_false(process_lives(orphan));
	assert_int_not_equal(access(path, F_OK), 0);
}

static void process_that_took_over_a_pid_is_left_alone(void **state)
{
	struct undo *undo;
	char what[64];
	int cleaned;
	pid_t pid;

	(void)state;
	undo = open_ledger(&cleaned);
	pid = spawn_stayer(undo);
	snprintf(what, sizeof(what), "%d %llu", (int)pid,
		 (unsigned long long)process_began(pid) + 1);
	assert_int_equal(undo_thing_end(UNDO_PROCESS, what, NULL), 0);
	assert_true(process_lives(pid));
	close_ledger(undo);
	assert_false(process_lives(pid));
}

static void folder_of_somebody_else_is_not_noted(void **state)
{
	static const char *const PATHS[] = { "/tmp", "/", "tmp/locum-chaos-x",
					     "/tmp/locum-chaos-x/../../etc" };
	struct error err = { 0 };
	struct undo *undo;
	int cleaned;

	(void)state;
	undo = open_ledger(&cleaned);
	for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
		assert_int_equal(undo_add(undo, UNDO_FOLDER, PATHS[i], &err), -1);
	close_ledger(undo);
}

static void program_hears_nothing_of_the_users_own_settings(void **state)
{
	const char *const argv[] = { "sh", "-c",
				     "test -z \"$PGHOST$LOCUM_PING_INTERVAL\" && test \"$OWN\" = 1",
				     NULL };
	const char *const env[] = { "OWN=1", NULL };
	const struct undo_spawn spawn = { .argv = argv, .env = env };
	struct error err = { 0 };
	struct undo *undo;
	int status = -1;
	int cleaned;
	pid_t pid;

	(void)state;
	setenv("PGHOST", "elsewhere", 1);
	setenv("LOCUM_PING_INTERVAL", "1h", 1);
	undo = open_ledger(&cleaned);
	assert_int_equal(undo_spawn(undo, &spawn, &pid, &err), 0);
	assert_int_equal(undo_wait(undo, pid, PATIENCE_MS, &status, &err), 1);
	assert_int_equal(status, 0);
	close_ledger(undo);
}

static void program_that_cannot_be_run_is_an_error_that_names_it(void **state)
{
	const char *const argv[] = { "/nowhere/program", NULL };
	struct error err = { 0 };
	struct undo *undo;
	int cleaned;

	(void)state;
	undo = open_ledger(&cleaned);
	assert_int_equal(undo_run(undo, argv, PATIENCE_MS, &err), -1);
	assert_non_null(strstr(err.text, "/nowhere/program: No such file"));
	close_ledger(undo);
}

static void failure_of_a_program_tells_its_last_words(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo first; echo the reason; exit 3", NULL };
	struct error err = { 0 };
	struct undo *undo;
	int cleaned;

	(void)state;
	undo = open_ledger(&cleaned);
	assert_int_equal(undo_run(undo, argv, PATIENCE_MS, &err), -1);
	assert_string_equal(err.text, "sh failed with 3 (the reason)");
	close_ledger(undo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_harness_cleans_up_after_a_killed_one),
		cmocka_unit_test(stopped_process_of_a_killed_harness_is_ended),
		cmocka_unit_test(what_a_living_harness_made_is_left_alone),
		cmocka_unit_test(closing_ends_orphans_of_orphans),
		cmocka_unit_test(process_that_took_over_a_pid_is_left_alone),
		cmocka_unit_test(folder_of_somebody_else_is_not_noted),
		cmocka_unit_test(program_hears_nothing_of_the_users_own_settings),
		cmocka_unit_test(program_that_cannot_be_run_is_an_error_that_names_it),
		cmocka_unit_test(failure_of_a_program_tells_its_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
