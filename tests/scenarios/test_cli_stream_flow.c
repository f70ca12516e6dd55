#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/cli.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int64_t count_jobs(struct database *d)
{
	return database_int(d, "select count(*) from locum.job");
}

/* --- memory ------------------------------------------------------------------------------------- */

/* A file of many lines, gone with the descriptor; the path leads to it as long as that is open. */
static int many_lines(int count, char path[static 64])
{
	char name[] = "/tmp/locum-stream-XXXXXX";
	int fd = mkstemp(name);
	FILE *file = fdopen(dup(fd), "w");

	unlink(name);
	for (int i = 0; i < count; i++)
		fprintf(file, "{\"handler\":\"h\",\"payload\":{\"n\":%d}}\n", i);
	fclose(file);
	snprintf(path, 64, "/proc/%d/fd/%d", (int)getpid(), fd);
	return fd;
}

/* The most that any program had that this test started and saw the end of. */
static int64_t most_kilobytes(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	return usage.ru_maxrss;
}

static void a_million_lines_in_one_transaction_take_little_memory(void **state)
{
	enum { COUNT = SANITIZED ? 50000 : 1000000, MOST_KILOBYTES = 25000 };
	struct database *d = *state;
	struct command command;
	char path[64];
	int fd = many_lines(COUNT, path);

	cli_run(&command, d, "submit", "-q", "--stream", path, NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	close(fd);
	assert_int_equal(count_jobs(d), COUNT);
	if (!SANITIZED)
		assert_in_range(most_kilobytes(), 1, MOST_KILOBYTES);
}

/* How many bytes it prints, which this process does not keep: it would count. */
static int64_t count_printed(struct database *d, const char *arguments)
{
	struct command command;
	char script[200];
	int64_t bytes;

	snprintf(script, sizeof(script), "%s %s | wc -c", cli_program("locum"), arguments);
	command_init(&command, "/bin/sh");
	command_setenv(&command, "LOCUM_DATABASE_URL", d->conninfo);
	command_add(&command, "-c", script, NULL);
	command_run(&command, "", 0);
	cli_assert(&command, 0, "");
	bytes = strtoll(command.printed, NULL, 10);
	command_fini(&command);
	return bytes;
}

static void a_list_of_large_jobs_takes_little_memory(void **state)
{
	enum { COUNT = 60, PAYLOAD = 1000000, MOST_KILOBYTES = 50000 };
	struct database *d = *state;

	database_do(d,
		    "select count(locum.submit('h', to_json(repeat('a', %d)))) "
		    "from generate_series(1, %d)",
		    PAYLOAD, COUNT);
	assert_in_range(count_printed(d, "list --json"), COUNT * PAYLOAD, COUNT * (PAYLOAD + 1000));
	assert_in_range(count_printed(d, "list -o id,payload"), COUNT * 1000, COUNT * 1100);
	if (!SANITIZED)
		assert_in_range(most_kilobytes(), 1, MOST_KILOBYTES);
}

/* --- producers that are slow ------------------------------------------------------------------ */

static void assert_stored_while_open(struct database *d, const char *option, const char *value)
{
	static const char LINES[] = "{\"handler\":\"h\"}\n{\"handler\":\"h\"}\n";
	struct command command;

	database_do(d, "delete from locum.job");
	cli_init(&command, d);
	command_add(&command, "submit", "--json", "--stream", "-", "--batch", "1000", option, value,
		    NULL);
	command_start(&command);
	command_type(&command, LINES, sizeof(LINES) - 1);
	command_await_printed(&command, "}\n{");
	assert_int_equal(count_jobs(d), 2);
	command_type_end(&command);
	command_finish(&command);
	cli_assert(&command, 0, "1 batch (2 jobs) stored up to line 2");
	command_fini(&command);
}

static void a_batch_that_does_not_fill_is_stored_all_the_same(void **state)
{
	assert_stored_while_open(*state, "--linger", "100ms");
	assert_stored_while_open(*state, "--buffer", "500");
	assert_stored_while_open(*state, NULL, NULL);
}

/* --- producers that must not wait --------------------------------------------------------------- */

enum { PRODUCED = 20000 };

/* Types lines 1 to PRODUCED while the jobs' table is locked, so that nothing can be stored. */
static void produce_against_a_lock(struct database *d, struct command *command, const char *policy)
{
	char line[64];

	cli_init(command, d);
	command_add(command, "submit", "--json", "--stream", "-", "--batch", "1", "--buffer", "10",
		    "--when-full", policy, NULL);
	command_start(command);
	for (int i = 1; i <= PRODUCED; i++) {
		snprintf(line, sizeof(line), "{\"handler\":\"h\",\"payload\":%d}\n", i);
		command_type(command, line, strlen(line));
		if (i == 1) {
			command_await_printed(command, "{\"id\":1}");
			database_do(d, "begin; lock table locum.job");
		}
	}
	database_do(d, "commit");
	command_finish(command);
}

/* Every line was either stored or counted as dropped, and many were dropped. */
static void assert_all_accounted_for(struct database *d, const struct command *command)
{
	const char *told = strstr(command->printed, "{\"dropped\":");
	long long dropped;

	assert_non_null(told);
	assert_int_equal(sscanf(told, "{\"dropped\":%lld}", &dropped), 1);
	assert_true(dropped > PRODUCED / 2);
	assert_int_equal(count_jobs(d) + dropped, PRODUCED);
	assert_non_null(strstr(command->said, "the buffer was full: "));
}

/* Far fewer lines than the buffer has room for, of a million bytes each. */
static void a_buffer_is_full_when_its_bytes_are(void **state)
{
	enum { COUNT = 30, BYTES = 1000000 };
	struct database *d = *state;
	struct command command;
	char *line = malloc(BYTES + 64);
	int length;
	int kept;

	assert_non_null(line);
	length = snprintf(line, BYTES + 64, "{\"handler\":\"h\",\"payload\":\"%0*d\"}\n", BYTES, 0);
	cli_init(&command, d);
	command_add(&command, "submit", "-q", "--stream", "-", "--batch", "1", "--buffer", "10000",
		    "--when-full", "drop_new", NULL);
	command_start(&command);
	command_type(&command, "{\"handler\":\"h\"}\n", strlen("{\"handler\":\"h\"}\n"));
	command_await_printed(&command, "1\n");
	database_do(d, "begin; lock table locum.job");
	for (int i = 0; i < COUNT; i++)
		command_type(&command, line, (size_t)length);
	database_do(d, "commit");
	command_finish(&command);
	cli_assert(&command, 75, "lines were dropped");
	kept = (int)count_jobs(d) - 1;
	assert_in_range(kept, LIMIT_BUFFER_BYTES / BYTES, LIMIT_BUFFER_BYTES / BYTES + 4);
	command_fini(&command);
	free(line);
}

static void new_lines_are_dropped_and_counted(void **state)
{
	struct database *d = *state;
	struct command command;

	produce_against_a_lock(d, &command, "drop_new");
	cli_assert(&command, 75, "lines were dropped");
	assert_all_accounted_for(d, &command);
	command_fini(&command);
	/* The first ten after the first fitted into the buffer. */
	assert_sql(d, "10",
		   "select count(*) from locum.job where payload::text::int between 2 and 11");
}

static void the_oldest_lines_are_dropped_and_counted(void **state)
{
	struct database *d = *state;
	struct command command;

	produce_against_a_lock(d, &command, "drop_oldest");
	cli_assert(&command, 75, "lines were dropped");
	assert_all_accounted_for(d, &command);
	command_fini(&command);
	assert_sql(d, "1", "select count(*) from locum.job where payload::text::int = %d",
		   PRODUCED);
}

static void a_buffer_that_blocks_drops_nothing(void **state)
{
	struct database *d = *state;
	struct command command;
	char path[64];
	int fd = many_lines(1000, path);

	cli_run(&command, d, "submit", "--stream", path, "--batch", "10", "--buffer", "3", NULL);
	cli_assert(&command, 0, "100 batches (1000 jobs) stored up to line 1000");
	command_fini(&command);
	close(fd);
	assert_sql(d, "t",
		   "select array_agg((payload ->> 'n')::int order by id) = "
		   "array(select generate_series(0, 999)) from locum.job");
}

static void a_bad_line_behind_a_buffer_is_named(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run_with(&command, d, "{\"handler\":\"h\"}\n{\"handler\":\"h\"}\nx\n", "submit",
		     "--stream", "-", "--batch", "2", "--buffer", "5", NULL);
	cli_assert(&command, 65, "line 3: it is not JSON");
	cli_assert(&command, 65, "1 batch (2 jobs) stored up to line 2");
	command_fini(&command);
	assert_int_equal(count_jobs(d), 2);
}

/* --- many at once -------------------------------------------------------------------------------- */

static void one_key_from_sixteen_clients_is_one_job(void **state)
{
	enum { CLIENTS = 16 };
	static const char LINE[] = "{\"handler\":\"h\",\"key\":\"k\"}\n";
	struct database *d = *state;
	struct command clients[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		cli_init(&clients[i], d);
		if (i % 2 == 0)
			command_add(&clients[i], "submit", "-q", "h", "--key", "k", NULL);
		else
			command_add(&clients[i], "submit", "-q", "--stream", "-", NULL);
		command_start(&clients[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		if (i % 2 != 0)
			command_type(&clients[i], LINE, strlen(LINE));
		command_finish(&clients[i]);
		cli_assert(&clients[i], 0, "");
		assert_string_equal(clients[i].printed, clients[0].printed);
	}
	for (int i = 0; i < CLIENTS; i++)
		command_fini(&clients[i]);
	assert_int_equal(count_jobs(d), 1);
}

/* --- options ------------------------------------------------------------------------------------- */

static void flags_are_what_a_line_does_not_say(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run_with(
		&command, d,
		"{}\n"
		"{\"handler\":\"own\",\"queue\":\"q\",\"priority\":1,\"max_attempts\":9,\"payload\":2}\n"
		"{\"queue\":null,\"retry_backoff\":\"fixed\",\"labels\":{\"b\":1}}\n"
		"{\"h\\u0061ndler\":\"\\u00e9\"}\n",
		"submit", "-q", "flag", "--queue", "night", "--priority", "7", "--payload", "[1]",
		"--max-attempts", "3", "--label", "a=x=y", "--retry-backoff", "linear",
		"--retry-delay", "2s", "--retry-cap", "1m", "--submitted-by", "me", "--stream", "-",
		NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	assert_sql(d,
		   "flag|night|7|[1]|3|{\"a\": \"x=y\"}|linear|2000|60000|me\n"
		   "own|q|1|2|9|{\"a\": \"x=y\"}|linear|2000|60000|me\n"
		   "flag|night|7|[1]|3|{\"b\": \"1\"}|fixed|2000|60000|me\n"
		   "é|night|7|[1]|3|{\"a\": \"x=y\"}|linear|2000|60000|me",
		   "select j.handler, q.name, j.priority, j.payload, j.max_attempts, j.labels, "
		   "j.retry_backoff, retry_delay_ms, retry_cap_ms, j.submitted_by "
		   "from locum.job j join locum.queue q on q.id = queue_id order by j.id");
}

static void follow_ups_are_handlers_or_objects(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run(&command, d, "submit", "-q", "h", "--then", "success=next", "--then",
		"failure={\"handler\":\"mend\",\"priority\":1}", "--then", "{\"always\":\"log\"}",
		NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	assert_sql(d, "next|mend|1|log",
		   "select follow_ups #>> '{success,handler}', follow_ups #>> '{failure,handler}', "
		   "follow_ups #>> '{failure,priority}', follow_ups #>> '{always,handler}' "
		   "from locum.job");
}

static void a_nul_escape_in_a_payload_is_taken_both_ways(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run(&command, d, "submit", "-q", "h", "--payload", "\"\\u0000\"", NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	cli_run_with(&command, d, "{\"handler\":\"h\",\"payload\":\"\\u0000\",\"delay\":\"1h\"}\n",
		     "submit", "-q", "--stream", "-", NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	assert_sql(d, "\"\\u0000\"\n\"\\u0000\"", "select payload from locum.job order by id");
}

/* --- output that does not arrive ------------------------------------------------------------------ */

static void run_into_full_disk(struct database *d, const char *options, const char *words)
{
	struct command command;
	char script[4096];

	snprintf(script, sizeof(script),
		 "printf '{\"handler\":\"h\"}\\n' | %s submit %s >/dev/full", cli_program("locum"),
		 options);
	cli_init(&command, d);
	command.argv[0] = "/bin/sh";
	command_add(&command, "-c", script, NULL);
	command_run(&command, "", 0);
	cli_assert(&command, 1, words);
	cli_assert(&command, 1, "No space left on device");
	command_fini(&command);
}

static void ids_that_cannot_be_written_are_told(void **state)
{
	struct database *d = *state;

	run_into_full_disk(d, "h", "job 1 was stored, but: cannot write the output");
	run_into_full_disk(d, "--stream -", "1 job stored up to line 1; go on with");
	assert_int_equal(count_jobs(d), 2);
}

static void a_reader_of_ids_that_goes_away_does_not_end_the_stream(void **state)
{
	struct database *d = *state;
	struct command command;
	char script[4096];
	char path[64];
	int fd = many_lines(50000, path);

	snprintf(script, sizeof(script), "%s submit --stream %s --batch 10000 | head -n 1",
		 cli_program("locum"), path);
	cli_init(&command, d);
	command.argv[0] = "/bin/sh";
	command_add(&command, "-c", script, NULL);
	command_run(&command, "", 0);
	assert_string_equal(command.printed, "1\n");
	cli_assert(&command, 0, "5 batches (50000 jobs) stored up to line 50000");
	command_fini(&command);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_million_lines_in_one_transaction_take_little_memory),
		DATABASE_TEST(a_list_of_large_jobs_takes_little_memory),
		DATABASE_TEST(a_batch_that_does_not_fill_is_stored_all_the_same),
		DATABASE_TEST(a_buffer_is_full_when_its_bytes_are),
		DATABASE_TEST(new_lines_are_dropped_and_counted),
		DATABASE_TEST(the_oldest_lines_are_dropped_and_counted),
		DATABASE_TEST(a_buffer_that_blocks_drops_nothing),
		DATABASE_TEST(a_bad_line_behind_a_buffer_is_named),
		DATABASE_TEST(one_key_from_sixteen_clients_is_one_job),
		DATABASE_TEST(flags_are_what_a_line_does_not_say),
		DATABASE_TEST(follow_ups_are_handlers_or_objects),
		DATABASE_TEST(a_nul_escape_in_a_payload_is_taken_both_ways),
		DATABASE_TEST(ids_that_cannot_be_written_are_told),
		DATABASE_TEST(a_reader_of_ids_that_goes_away_does_not_end_the_stream),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
