/* A plugin for tests: one symbol for each thing that a handler may do, well or badly. */
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <locum.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEED(name)                                                                                 \
	int name(struct locum_job *job);                                                           \
	int name(struct locum_job *job)

static int store_text(struct locum_job *job, const char *text)
{
	return locum_job_result(job, text, strlen(text)) == 0 ? LOCUM_DONE : LOCUM_FAIL;
}

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* --- plain ------------------------------------------------------------------------------------- */

DEED(done)
{
	(void)job;
	return LOCUM_DONE;
}

DEED(echo)
{
	size_t length;
	const char *payload = locum_job_payload(job, &length);

	return locum_job_result(job, payload, length) == 0 ? LOCUM_DONE : LOCUM_FAIL;
}

/* Everything that a job tells. */
DEED(tell)
{
	char text[512];
	const char *parent = locum_job_traceparent(job);

	snprintf(text, sizeof(text), "\"%lld %d %s %s %s %lld %s %d\"",
		 (long long)locum_job_id(job), locum_job_attempt(job), locum_job_queue(job),
		 locum_job_handler(job), locum_job_claim(job), (long long)locum_job_claim_seq(job),
		 parent == NULL ? "-" : parent, locum_job_deadline_ms(job) > 0);
	locum_job_log(job, "line %d\n", 1);
	locum_job_log(job, "line %d\n", 2);
	return store_text(job, text);
}

DEED(retry)
{
	return locum_job_fail(job, LOCUM_RETRY, "not this time");
}

DEED(fail)
{
	return locum_job_fail(job, LOCUM_FAIL, "never");
}

DEED(strange)
{
	(void)job;
	return 42;
}

DEED(oversize)
{
	size_t length = 1024 * 1024 + 1;
	char *text = malloc(length);
	int status;

	memset(text, '1', length);
	status = locum_job_result(job, text, length);
	free(text);
	if (status == 0 || locum_job_result(job, "\xff", 1) == 0)
		return LOCUM_FAIL;
	return store_text(job, "\"refused\"");
}

DEED(flood)
{
	for (int i = 0; i < 100000; i++)
		locum_job_log(job, "%d \033[31mred\r\n", i);
	return LOCUM_DONE;
}

/* --- slow -------------------------------------------------------------------------------------- */

DEED(patient)
{
	while (!locum_job_cancelled(job))
		pause_ms(1);
	return LOCUM_RETRY;
}

DEED(stubborn)
{
	(void)job;
	for (;;)
		pause_ms(1000);
	return LOCUM_DONE;
}

DEED(spin)
{
	volatile unsigned long turns = 0;

	(void)job;
	for (;;)
		turns = turns + 1;
	return LOCUM_DONE;
}

/* Goes on for as many milliseconds as its payload says, with signs of life. */
DEED(busy)
{
	int ms = (int)strtol(locum_job_payload(job, NULL), NULL, 10);

	for (int i = 0; i < ms; i += 5) {
		locum_job_progress(job);
		pause_ms(5);
	}
	return LOCUM_DONE;
}

/* --- bad --------------------------------------------------------------------------------------- */

/* Dies of the signal itself, whatever a sanitizer makes of it. */
static void die(void)
{
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

DEED(crash)
{
	(void)job;
	die();
	return LOCUM_DONE;
}

static bool is_refused(pid_t victims)
{
	return kill(victims, 0) != 0 && errno == EPERM;
}

/* Asks by signal 0, which reaches nobody: where nothing refuses it, everybody lives all the same. */
DEED(massacre)
{
	bool refused = is_refused(-1) && is_refused(getppid()) && is_refused(-getppid());

	return store_text(job, refused ? "\"refused\"" : "\"allowed\"");
}

/* Says that all is well, and leaves a host that can speak to nobody. */
DEED(gut)
{
	(void)job;
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	return LOCUM_DONE;
}

DEED(who)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)getpid());
	return store_text(job, text);
}

DEED(leak)
{
	(void)job;
	while (open("/dev/null", O_RDONLY) >= 0) {
	}
	return LOCUM_DONE;
}

/* As many bytes as its payload says on its output, then last words and death. */
DEED(spew)
{
	static char zeros[65536];
	long left = strtol(locum_job_payload(job, NULL), NULL, 10);

	while (left > 0) {
		ssize_t put = write(STDOUT_FILENO, zeros,
				    left < (long)sizeof(zeros) ? (size_t)left : sizeof(zeros));

		if (put < 0)
			return LOCUM_FAIL;
		left -= put;
	}
	if (write(STDOUT_FILENO, "end\n", 4) == 4)
		die();
	return LOCUM_DONE;
}

/* Says something that looks like another's word, wherever it can. */
DEED(forge)
{
	static const char LINE[] = "\r\n\033[2K2026-01-01T00:00:00.000Z locumd error forged=1\n";

	locum_job_log(job, "%s", LINE);
	fputs(LINE, stdout);
	fputs(LINE, stderr);
	fflush(stdout);
	return locum_job_fail(job, LOCUM_FAIL, LINE);
}

/* --- with a transaction ------------------------------------------------------------------------ */

static int book(struct locum_job *job)
{
	char id[24];
	const char *values[] = { id };
	PGconn *conn = locum_job_connection(job);
	PGresult *result;
	int booked;

	if (conn == NULL)
		return -1;
	snprintf(id, sizeof(id), "%lld", (long long)locum_job_id(job));
	result = PQexecParams(conn, "insert into effect (job) values ($1::bigint)", 1, NULL, values,
			      NULL, NULL, 0);
	booked = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	return booked ? 0 : -1;
}

static void run(struct locum_job *job, const char *sql)
{
	PQclear(PQexec(locum_job_connection(job), sql));
}

DEED(effect)
{
	if (book(job) != 0)
		return LOCUM_RETRY;
	locum_job_log(job, "booked\n");
	return store_text(job, "{\"booked\": 1}");
}

DEED(effect_retry)
{
	return book(job) == 0 ? locum_job_fail(job, LOCUM_RETRY, "thought better of it")
			      : LOCUM_FAIL;
}

DEED(effect_bad_sql)
{
	if (book(job) == 0)
		run(job, "select 1 / 0");
	return LOCUM_DONE;
}

DEED(effect_bad_result)
{
	return book(job) == 0 ? store_text(job, "{no json") : LOCUM_RETRY;
}

DEED(effect_commits)
{
	if (book(job) == 0)
		run(job, "commit");
	return LOCUM_DONE;
}

DEED(effect_crash)
{
	if (book(job) == 0)
		die();
	return LOCUM_DONE;
}

/* Its backend dies before the commit. */
DEED(effect_suicide)
{
	if (book(job) == 0)
		run(job, "select pg_terminate_backend(pg_backend_pid())");
	return LOCUM_DONE;
}

/* Stands at an advisory lock, so that a test can hold it there. */
DEED(effect_wait)
{
	if (book(job) != 0)
		return LOCUM_RETRY;
	run(job, "select pg_advisory_lock_shared(1)");
	run(job, "select pg_advisory_unlock_shared(1)");
	return LOCUM_DONE;
}

DEED(effect_slow)
{
	if (book(job) == 0)
		run(job, "select pg_sleep(60)");
	return LOCUM_DONE;
}

DEED(settings)
{
	PGconn *conn = locum_job_connection(job);
	PGresult *result = conn == NULL ? NULL : PQexec(conn, "show statement_timeout");
	char text[64];

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		return LOCUM_RETRY;
	snprintf(text, sizeof(text), "\"%s\"", PQgetvalue(result, 0, 0));
	PQclear(result);
	return store_text(job, text);
}

/* Does to the session what its payload says, as SQL. */
DEED(meddle)
{
	char sql[256];
	size_t length;
	const char *payload = locum_job_payload(job, &length);

	/* A JSON string without escapes. */
	snprintf(sql, sizeof(sql), "%.*s", (int)length - 2, payload + 1);
	if (book(job) != 0)
		return LOCUM_RETRY;
	run(job, sql);
	return LOCUM_DONE;
}
