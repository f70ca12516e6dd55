#include "tools/chaos/undo/undo.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/chaos/stage/fleet_files.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"
#include "tools/chaos/undo/undo_thing.h"

enum { PATIENCE_MS = 120000, PATH_SIZE = 128 };

/* Others that run on the machine clean up too, and would be quicker now and then. */
static int keep_to_ourselves(void **state)
{
	static char folder[] = "/tmp/locum-chaos-test-XXXXXX";

	(void)state;
	if (geteuid() == 0)
		return unshare(CLONE_NEWNS) == 0 &&
				       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
			       ? mount("none", "/run", "tmpfs", 0, "mode=0755")
			       : 0;
	return mkdtemp(folder) == NULL ? -1 : setenv("XDG_RUNTIME_DIR", folder, 1);
}

static int leave_nothing(void **state)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	char ledgers[PATH_SIZE];

	(void)state;
	if (geteuid() == 0 || folder == NULL)
		return 0;
	snprintf(ledgers, sizeof(ledgers), "%s/locum-chaos", folder);
	rmdir(ledgers);
	return rmdir(folder);
}

static struct undo *open_ledger(int *cleaned)
{
	struct error err = { 0 };
	struct error left;
	struct undo *undo = undo_open(cleaned, &left, &err);

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

static void note_lost_database(struct undo *undo)
{
	assert_int_equal(
		undo_add(undo, UNDO_SCRATCH, "host=/nowhere dbname=lost password=secret", NULL), 0);
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

/* The ledger of that process. */
static void forget_ledger(pid_t pid)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/locum-chaos/%d",
		 geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR"), (int)pid);
	assert_int_equal(unlink(path), 0);
}

static void open_after(bool is_told)
{
	struct error err = { 0 };
	struct error left;
	int cleaned;
	struct undo *undo = undo_open(&cleaned, &left, &err);

	assert_non_null(undo);
	assert_int_equal(left.kind != ERROR_NONE, is_told);
	if (is_told) {
		assert_non_null(strstr(left.text, "host=/nowhere dbname=lost"));
		assert_null(strstr(left.text, "secret"));
	}
	close_ledger(undo);
}

/* As while a database of the user's own is away. */
static void what_cannot_be_undone_is_told_and_tried_until_it_is_forgotten(void **state)
{
	int cleaned;
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		note_lost_database(open_ledger(&cleaned));
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	open_after(true);
	open_after(true);
	forget_ledger(pid);
	open_after(false);
}

static void every_handler_of_a_fleet_has_the_mark_in_its_environment(void **state)
{
	const struct plan plan = { .user_handler = "/bin/true" };
	const struct plan_act act = { .dispatchers = 2 };
	char folder[PATH_SIZE];
	char text[16384];
	int cleaned;
	struct undo *undo = open_ledger(&cleaned);
	struct stage stage = { .plan = &plan,
			       .act = &act,
			       .undo = undo,
			       .programs = "/bin",
			       .folder = folder,
			       .scratch = folder };
	int handlers = 0;
	char *rest;
	size_t length;
	FILE *file;

	(void)state;
	name_folder(folder);
	fill_folder(undo, folder);
	assert_int_equal(fleet_files_write(&stage, folder, "d1", NULL, NULL), 0);
	snprintf(text, sizeof(text), "%s/locumd.conf", folder);
	file = fopen(text, "re");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "handler ", 8) != 0)
			continue;
		handlers++;
		if (strstr(line, undo_mark(undo)) == NULL)
			fail_msg("a handler without it: %s", line);
	}
	assert_int_equal(handlers, 9);
	close_ledger(undo);
}

/* Begins and ends another, which is no parent of the first one. */
static void pass_by(void)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct undo *undo = undo_open(&(int){ 0 }, &(struct error){ 0 }, NULL);

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
		cmocka_unit_test(what_cannot_be_undone_is_told_and_tried_until_it_is_forgotten),
		cmocka_unit_test(every_handler_of_a_fleet_has_the_mark_in_its_environment),
		cmocka_unit_test(what_a_living_harness_made_is_left_alone),
		cmocka_unit_test(closing_ends_orphans_of_orphans),
		cmocka_unit_test(process_that_took_over_a_pid_is_left_alone),
		cmocka_unit_test(folder_of_somebody_else_is_not_noted),
		cmocka_unit_test(program_hears_nothing_of_the_users_own_settings),
		cmocka_unit_test(program_that_cannot_be_run_is_an_error_that_names_it),
		cmocka_unit_test(failure_of_a_program_tells_its_last_words),
	};

	return cmocka_run_group_tests(tests, keep_to_ourselves, leave_nothing);
}
