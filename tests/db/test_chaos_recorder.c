#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"
#include "tools/chaos/history/history.h"
#include "tools/chaos/history/recorder.h"

enum { TEXT_SIZE = 8192 };

/* What the recorder wrote: its records without times and transactions, UUIDs by the letter that each got. */
static char told[TEXT_SIZE];
static char seen[16][UUID_TEXT_SIZE];
static size_t seen_count;
static char folder[64];
static bool ordered;

static int start(void **state)
{
	struct database *d = *state;
	struct error err;

	database_clear(state);
	seen_count = 0;
	recorder_remove(d->sql, &err);
	if (recorder_install(d->sql, &ordered, &err) != 0)
		fail_msg("%s", err.text);
	snprintf(folder, sizeof(folder), "/tmp/locum-recorder.XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int finish(void **state)
{
	struct database *d = *state;
	static const char *const NAMES[] = { "database.log", "final.log" };
	char path[128];
	struct error err;

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, NAMES[i]);
		unlink(path);
	}
	rmdir(folder);
	return recorder_remove(d->sql, &err);
}

static char letter(const char *uuid)
{
	for (size_t i = 0; i < seen_count; i++)
		if (strcmp(seen[i], uuid) == 0)
			return (char)('A' + i);
	snprintf(seen[seen_count], UUID_TEXT_SIZE, "%s", uuid);
	return (char)('A' + seen_count++);
}

static void tell(char **words, size_t count, bool has_xid)
{
	size_t length = strlen(told);
	struct uuid uuid;

	for (size_t i = 0; i < count; i++) {
		if (has_xid && i == 2 && words[0][0] != 'a' && words[0][0] != 'd' &&
		    words[0][0] != 'g')
			continue;
		if (uuid_read(words[i], &uuid) == 0)
			length += (size_t)snprintf(told + length, TEXT_SIZE - length, "%c ",
						   letter(words[i]));
		else
			length += (size_t)snprintf(told + length, TEXT_SIZE - length, "%s ",
						   words[i]);
	}
	told[length - 1] = '\n';
}

static const char *file_text(const char *name, bool has_xid)
{
	struct history_reader *reader;
	struct error err;
	int64_t at_us;
	char **words;
	size_t count;

	told[0] = '\0';
	reader = history_reader_open(folder, name, &err);
	assert_non_null(reader);
	while (history_reader_next(reader, &at_us, &words, &count, &err) == 1)
		tell(words, count, has_xid);
	history_reader_close(reader);
	return told;
}

static const char *recorded(struct database *d)
{
	struct error err;

	if (recorder_export(d->sql, ordered, folder, &err) != 0)
		fail_msg("%s", err.text);
	return file_text("database.log", true);
}

static void a_jobs_life_is_recorded(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct uuid claim_id;
	int64_t id;

	fleet_submit(d, "'h'");
	id = fleet_claim_one(d, dispatcher, &claim_id);
	assert_true(fleet_start(d, id, claim_id));
	fleet_complete(
		d, dispatcher,
		&(struct fleet_outcome){ .id = id, .claim_id = claim_id, .outcome = "completed" });
	assert_string_equal(recorded(d), "alive A B\n"
					 "submit 1 pending h 5 retry\n"
					 "claim 1 C 1 A\n"
					 "start 1 C 1 A\n"
					 "end 1 C 1 A completed\n"
					 "closed 5\n");
	assert_string_equal(file_text("final.log", false), "job 1 completed C 1 1 0 0\nclosed 1\n");
}

static void a_death_is_recorded_with_its_evidence_and_what_comes_back(void **state)
{
	struct database *d = *state;
	struct uuid victim = fleet_dispatcher(d);
	const char *text;
	char *dead;
	long long age;

	fleet_submit(d, "'h'");
	fleet_submit(d, "'h', on_interrupt => 'fail'");
	assert_int_equal(fleet_claim(d, victim, 2, NULL), 2);
	database_do(d, "update locum.job set state = 'active', started_at = now() where id = 2");
	database_do(
		d,
		"update locum.dispatcher_ping set pinged_at = pinged_at - interval '40 s', seq = 7");
	fleet_kill(d, victim);
	fleet_reclaim(d, victim, 10);
	text = recorded(d);
	dead = strstr(text, "dead A ");
	assert_non_null(dead);
	age = strtoll(dead + 7, &dead, 10);
	assert_in_range(age, 40000000, 50000000);
	assert_non_null(strstr(dead, " 30000000 "));
	assert_memory_equal(strchr(dead, '\n') - 2, " 7", 2);
	assert_non_null(strstr(text, "back 1 C 1 A pending\n"));
	assert_non_null(strstr(text, "end 2 - 1 "));
}

static void transactions_stand_in_the_order_of_their_commits(void **state)
{
	struct database *d = *state;
	PGconn *early = database_connection(d);

	assert_true(ordered);
	PQclear(PQexec(early, "begin; select locum.submit('early')"));
	database_do(d, "select locum.submit('late')");
	PQclear(PQexec(early, "commit"));
	PQfinish(early);
	assert_string_equal(
		recorded(d),
		"submit 2 pending late 5 retry\nsubmit 1 pending early 5 retry\nclosed 2\n");
}

static void what_was_rolled_back_is_not_recorded(void **state)
{
	struct database *d = *state;

	database_do(d, "begin; select locum.submit('h'); rollback");
	assert_string_equal(recorded(d), "closed 0\n");
}

static void an_orderly_end_is_recorded(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	char uuid[UUID_TEXT_SIZE];

	database_do(d, "update locum.dispatcher set state = 'stopped' where incarnation = '%s'",
		    uuid_text(dispatcher, uuid));
	assert_string_equal(recorded(d), "alive A B\ngone A\nclosed 2\n");
}

static void the_end_of_a_job_that_nobody_keeps_is_recorded(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct uuid claim_id;
	int64_t id;

	database_do(d, "update locum.queue set keep_finished = '0'");
	fleet_submit(d, "'h'");
	id = fleet_claim_one(d, dispatcher, &claim_id);
	fleet_complete(
		d, dispatcher,
		&(struct fleet_outcome){ .id = id, .claim_id = claim_id, .outcome = "completed" });
	assert_non_null(strstr(recorded(d), "end 1 C 1 A unkept\n"));
	assert_string_equal(file_text("final.log", false), "closed 0\n");
	database_do(d, "update locum.queue set keep_finished = '7 days'");
}

static void a_job_that_is_kept_while_its_queue_ceases_to_keep_ends_once(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	database_do(d, "begin; update locum.queue set keep_finished = '0'");
	database_do(d, "select locum.finish(job, 'cancelled', null, null) from locum.job");
	database_do(d, "insert into locum_chaos.event (kind, job, seq, state) "
		       "values ('end', 1, 0, 'cancelled')");
	database_do(d, "delete from locum.job; commit");
	assert_string_equal(recorded(d),
			    "submit 1 pending h 5 retry\nend 1 - 0 - cancelled\nclosed 2\n");
	database_do(d, "update locum.queue set keep_finished = '7 days'");
}

static void an_export_can_be_repeated(void **state)
{
	struct database *d = *state;
	char first[TEXT_SIZE];

	fleet_submit(d, "'h'");
	snprintf(first, sizeof(first), "%s", recorded(d));
	assert_string_equal(recorded(d), first);
}

static void nothing_of_it_stays(void **state)
{
	struct database *d = *state;
	struct error err;

	assert_int_equal(recorder_remove(d->sql, &err), 0);
	assert_int_equal(
		database_int(d,
			     "select count(*) from pg_trigger where tgname like 'locum_chaos%%'"),
		0);
	assert_int_equal(database_int(d, "select count(*) from pg_replication_slots"), 0);
	assert_int_equal(database_int(d, "select count(*) from pg_proc "
					 "where pronamespace = to_regnamespace('locum_chaos')"),
			 0);
	assert_int_equal(recorder_remove(d->sql, &err), 0);
}

#define RECORDER_TEST(test) cmocka_unit_test_setup_teardown(test, start, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RECORDER_TEST(a_jobs_life_is_recorded),
		RECORDER_TEST(a_death_is_recorded_with_its_evidence_and_what_comes_back),
		RECORDER_TEST(transactions_stand_in_the_order_of_their_commits),
		RECORDER_TEST(what_was_rolled_back_is_not_recorded),
		RECORDER_TEST(an_orderly_end_is_recorded),
		RECORDER_TEST(the_end_of_a_job_that_nobody_keeps_is_recorded),
		RECORDER_TEST(a_job_that_is_kept_while_its_queue_ceases_to_keep_ends_once),
		RECORDER_TEST(an_export_can_be_repeated),
		RECORDER_TEST(nothing_of_it_stays),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
