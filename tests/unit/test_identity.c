#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dispatcher/identity.h"

enum { PATH_MAX_BYTES = 128, WAIT_MS = 100 };

struct folder {
	char path[PATH_MAX_BYTES];
	char file[PATH_MAX_BYTES + 16];
	struct identity identity;
	struct error err;
};

static int open_folder(void **state)
{
	static struct folder folder;

	memset(&folder, 0, sizeof(folder));
	snprintf(folder.path, sizeof(folder.path), "/tmp/locum-identity.XXXXXX");
	assert_non_null(mkdtemp(folder.path));
	snprintf(folder.file, sizeof(folder.file), "%s/dispatcher", folder.path);
	*state = &folder;
	return 0;
}

static int close_folder(void **state)
{
	struct folder *folder = *state;

	identity_close(&folder->identity);
	unlink(folder->file);
	rmdir(folder->path);
	return 0;
}

static int open_identity(struct folder *folder)
{
	return identity_open(&folder->identity, folder->path, WAIT_MS, &folder->err);
}

/* The timeline stays. */
static int save(struct identity *identity, struct uuid life)
{
	return identity_save(identity, life, identity->timeline, NULL);
}

static void must_open(struct folder *folder)
{
	if (open_identity(folder) != 0)
		fail_msg("%s", folder->err.text);
}

static void write_file(const struct folder *folder, const char *text)
{
	FILE *file = fopen(folder->file, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_new_folder_makes_a_new_dispatcher(void **state)
{
	struct folder *folder = *state;
	struct stat status;

	must_open(folder);
	assert_false(uuid_is_none(folder->identity.id));
	assert_true(uuid_is_none(folder->identity.former));
	assert_true(folder->identity.host[0] != '\0');
	assert_true(folder->identity.machine_id[0] != '\0');
	assert_int_equal(stat(folder->file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_missing_folder_is_made_for_its_owner_alone(void **state)
{
	struct folder *folder = *state;
	struct stat status;

	assert_int_equal(rmdir(folder->path), 0);
	must_open(folder);
	assert_int_equal(stat(folder->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
}

static void the_id_stays_and_the_last_life_is_remembered(void **state)
{
	struct folder *folder = *state;
	struct uuid life = uuid_make();
	struct uuid id;

	must_open(folder);
	id = folder->identity.id;
	assert_int_equal(save(&folder->identity, life), 0);
	identity_close(&folder->identity);
	must_open(folder);
	assert_true(uuid_same(folder->identity.id, id));
	assert_true(uuid_same(folder->identity.former, life));
}

static void the_database_and_its_timeline_are_remembered(void **state)
{
	struct folder *folder = *state;

	must_open(folder);
	assert_int_equal(folder->identity.system_id, 0);
	assert_int_equal(folder->identity.timeline, 0);
	folder->identity.system_id = INT64_MIN;
	assert_int_equal(identity_save(&folder->identity, uuid_make(), 12, NULL), 0);
	identity_close(&folder->identity);
	must_open(folder);
	assert_true(folder->identity.system_id == INT64_MIN);
	assert_int_equal(folder->identity.timeline, 12);
}

static void the_newest_life_replaces_the_former(void **state)
{
	struct folder *folder = *state;
	struct uuid life = uuid_make();

	must_open(folder);
	assert_int_equal(save(&folder->identity, uuid_make()), 0);
	assert_int_equal(save(&folder->identity, life), 0);
	identity_close(&folder->identity);
	must_open(folder);
	assert_true(uuid_same(folder->identity.former, life));
}

/* It died before it was registered: nothing is known of it, and nothing has to be. */
static void a_dispatcher_that_never_lived_leaves_a_file_that_can_be_used(void **state)
{
	struct folder *folder = *state;

	must_open(folder);
	identity_close(&folder->identity);
	must_open(folder);
	assert_true(uuid_is_none(folder->identity.former));
}

static void a_damaged_file_is_refused_by_name(void **state)
{
	static const char *const DAMAGES[] = {
		"x",
		"id 1\nincarnation 2\npid 3\n",
		"id 00000000-0000-4000-8000-000000000001\n",
		"id 00000000-0000-4000-8000-000000000001\nincarnation zzz\npid 3\n",
	};
	struct folder *folder = *state;

	for (size_t i = 0; i < sizeof(DAMAGES) / sizeof(DAMAGES[0]); i++) {
		write_file(folder, DAMAGES[i]);
		assert_int_equal(open_identity(folder), -1);
		assert_int_equal(folder->err.kind, ERROR_INPUT);
		assert_non_null(strstr(folder->err.text, folder->file));
		assert_non_null(strstr(folder->err.text, "damaged"));
	}
	unlink(folder->file);
	must_open(folder);
}

static void a_folder_that_cannot_be_used_is_refused_by_name(void **state)
{
	struct folder *folder = *state;
	char inside[PATH_MAX_BYTES + 32];

	assert_int_equal(identity_open(&folder->identity, "/proc/locum", WAIT_MS, &folder->err),
			 -1);
	assert_int_equal(folder->err.kind, ERROR_INPUT);
	assert_non_null(strstr(folder->err.text, "/proc/locum"));
	write_file(folder, "");
	snprintf(inside, sizeof(inside), "%s/below", folder->file);
	assert_int_equal(identity_open(&folder->identity, inside, WAIT_MS, &folder->err), -1);
	assert_int_equal(folder->err.kind, ERROR_INPUT);
	assert_non_null(strstr(folder->err.text, inside));
}

/* What a full disk does, a limit of the process does too. */
static void a_file_that_cannot_be_written_is_refused_before_any_life(void **state)
{
	struct folder *folder = *state;
	struct rlimit limit;
	rlim_t usual;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	usual = limit.rlim_cur;
	limit.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(open_identity(folder), -1);
	limit.rlim_cur = usual;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(folder->err.kind, ERROR_INPUT);
	assert_non_null(strstr(folder->err.text, "cannot write the state file"));
	assert_non_null(strstr(folder->err.text, folder->file));
}

static void a_link_in_place_of_the_file_is_not_followed(void **state)
{
	struct folder *folder = *state;

	assert_int_equal(symlink("/dev/null", folder->file), 0);
	assert_int_equal(open_identity(folder), -1);
	assert_int_equal(folder->err.kind, ERROR_INPUT);
}

/* The pid is written at once, and a copy of the file is still known for a copy after that. */
static void a_copy_that_never_lived_stays_a_copy(void **state)
{
	static const char COPY[] = "id 00000000-0000-4000-8000-000000000001\n"
				   "incarnation 00000000-0000-4000-8000-000000000002\npid 3\n"
				   "home 1:2:elsewhere\nsystem 5\ntimeline 6\n";
	struct folder *folder = *state;

	write_file(folder, COPY);
	for (int i = 0; i < 2; i++) {
		must_open(folder);
		assert_true(uuid_is_none(folder->identity.former));
		assert_int_equal(folder->identity.system_id, 5);
		assert_int_equal(folder->identity.timeline, 6);
		identity_close(&folder->identity);
	}
}

/* Another process of that name that holds the folder until it is killed. */
static pid_t hold(const struct folder *folder, const char *name)
{
	struct identity identity;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		if (identity_open(&identity, folder->path, 0, NULL) == 0 &&
		    write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void a_second_dispatcher_is_refused_with_the_pid_of_the_first(void **state)
{
	struct folder *folder = *state;
	pid_t holder = hold(folder, "locumd");
	char words[32];

	snprintf(words, sizeof(words), "process %ld ", (long)holder);
	assert_int_equal(open_identity(folder), -1);
	end(holder);
	assert_int_equal(folder->err.kind, ERROR_INPUT);
	assert_non_null(strstr(folder->err.text, words));
	must_open(folder);
}

static void a_lock_that_only_agents_hold_is_waited_for_and_then_named(void **state)
{
	struct folder *folder = *state;
	pid_t holder = hold(folder, "locum-agent");

	assert_int_equal(open_identity(folder), -1);
	end(holder);
	assert_int_equal(folder->err.kind, ERROR_INPUT);
	assert_non_null(strstr(folder->err.text, "still held by an agent"));
}

static void the_lock_is_taken_as_soon_as_the_last_agent_goes(void **state)
{
	struct folder *folder = *state;
	pid_t holder = hold(folder, "locum-agent");

	kill(holder, SIGKILL);
	if (identity_open(&folder->identity, folder->path, 10000, &folder->err) != 0)
		fail_msg("%s", folder->err.text);
	waitpid(holder, NULL, 0);
}

#define FOLDER_TEST(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(a_new_folder_makes_a_new_dispatcher),
		FOLDER_TEST(a_missing_folder_is_made_for_its_owner_alone),
		FOLDER_TEST(the_id_stays_and_the_last_life_is_remembered),
		FOLDER_TEST(the_database_and_its_timeline_are_remembered),
		FOLDER_TEST(the_newest_life_replaces_the_former),
		FOLDER_TEST(a_dispatcher_that_never_lived_leaves_a_file_that_can_be_used),
		FOLDER_TEST(a_damaged_file_is_refused_by_name),
		FOLDER_TEST(a_folder_that_cannot_be_used_is_refused_by_name),
		FOLDER_TEST(a_file_that_cannot_be_written_is_refused_before_any_life),
		FOLDER_TEST(a_copy_that_never_lived_stays_a_copy),
		FOLDER_TEST(a_link_in_place_of_the_file_is_not_followed),
		FOLDER_TEST(a_second_dispatcher_is_refused_with_the_pid_of_the_first),
		FOLDER_TEST(a_lock_that_only_agents_hold_is_waited_for_and_then_named),
		FOLDER_TEST(the_lock_is_taken_as_soon_as_the_last_agent_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
