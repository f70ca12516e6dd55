#include "tests/support/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/children.h"
#include "base/clock.h"
#include "tests/support/scenario_server.h"

enum { LOOK_MS = 10, CHILDREN_MAX = 1024, SHOWN_BYTES = 16384 };

/* --- waiting ----------------------------------------------------------------------------------- */

int64_t scenario_deadline_ms(void)
{
	return clock_monotonic_ms() + SCENARIO_PATIENCE_MS;
}

bool scenario_pause(int64_t deadline_ms)
{
	if (clock_monotonic_ms() >= deadline_ms)
		return false;
	poll(NULL, 0, LOOK_MS);
	return true;
}

/* --- showing ----------------------------------------------------------------------------------- */

static void show_file(const char *path)
{
	char bytes[SHOWN_BYTES];
	FILE *file = fopen(path, "re");
	size_t length;

	if (file == NULL)
		return;
	fprintf(stderr, "--- %s\n", path);
	if (fseek(file, -(long)sizeof(bytes), SEEK_END) != 0)
		rewind(file);
	length = fread(bytes, 1, sizeof(bytes), file);
	fwrite(bytes, 1, length, stderr);
	fclose(file);
}

static void show_query(struct scenario *s, const char *query)
{
	PGresult *result = PQexec(s->database->sql, query);
	const PQprintOpt options = { .header = 1, .align = 1, .fieldSep = (char *)"|" };

	fprintf(stderr, "--- %s\n", query);
	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		PQprint(stderr, result, &options);
	else
		fprintf(stderr, "%s", PQerrorMessage(s->database->sql));
	PQclear(result);
}

static void show_all(struct scenario *s)
{
	show_query(s, "select id, queue_id, state, handler, attempt, interruptions, recoveries, "
		      "claim_seq, incarnation, error from locum.job order by id limit 20");
	show_query(s,
		   "select id, state, attempt, interruptions, recoveries, claim_seq, incarnation, "
		   "error, history from locum.finished order by id limit 20");
	show_query(s, "select * from locum.death");
	show_query(s, "select * from locum.dispatcher order by seq");
	show_file(s->effects);
	for (size_t i = 0; i < s->daemon_count; i++)
		show_file(s->daemons[i].log);
}

_Noreturn void scenario_fail(struct scenario *s, const char *format, ...)
{
	char text[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	show_all(s);
	fail_msg("%s", text);
	abort(); /* not reached: fail_msg jumps, but does not say so */
}

/* --- handlers ---------------------------------------------------------------------------------- */

static void write_file(struct scenario *s, const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		scenario_fail(s, "cannot write %s: %s", path, strerror(errno));
	close(fd);
}

void scenario_handler(struct scenario *s, const char *name, const char *settings,
		      const char *script)
{
	char path[SCENARIO_PATH];
	size_t used = strlen(s->handlers);

	snprintf(path, sizeof(path), "%s/%s.sh", s->directory, name);
	snprintf(s->text, sizeof(s->text),
		 "#!/bin/sh\n"
		 "FOLDER='%s'\n"
		 "note() {\n"
		 "\techo \"$1 $LOCUM_JOB_ID $LOCUM_CLAIM_SEQ $$\" >> \"$FOLDER/effects\"\n"
		 "}\n"
		 "begin() {\n"
		 "\texec 9>> \"$FOLDER/alive.$LOCUM_JOB_ID\"\n"
		 "\tflock --nonblock 9 || note overlap\n"
		 "\tnote start\n"
		 "}\n"
		 "gate() {\n"
		 "\tread -r _ < \"$FOLDER/$1\"\n"
		 "}\n"
		 "%s\n",
		 s->directory, script);
	write_file(s, path, 0755, s->text);
	snprintf(s->handlers + used, sizeof(s->handlers) - used,
		 "handler \"%s\" { kind = \"command\" argv = {\"%s\"} %s }\n", name, path,
		 settings);
}

void scenario_gate(struct scenario *s, const char *name)
{
	struct scenario_gate *gate = &s->gates[s->gate_count++];

	assert_true(s->gate_count <= SCENARIO_GATES);
	snprintf(gate->path, sizeof(gate->path), "%s/%s", s->directory, name);
	if (mkfifo(gate->path, 0666) != 0)
		scenario_fail(s, "cannot make %s: %s", gate->path, strerror(errno));
	/* Open at both ends, so that nobody's opening waits and what is written stays for later. */
	gate->fd = open(gate->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_true(gate->fd >= 0);
}

void scenario_let(struct scenario *s, const char *name, int count)
{
	for (size_t i = 0; i < s->gate_count; i++) {
		if (strcmp(strrchr(s->gates[i].path, '/') + 1, name) != 0)
			continue;
		for (int n = 0; n < count; n++)
			assert_int_equal(write(s->gates[i].fd, "\n", 1), 1);
		return;
	}
	scenario_fail(s, "there is no gate %s", name);
}

static int count_noted(struct scenario *s, const char *prefix)
{
	FILE *file = fopen(s->effects, "re");
	char line[256];
	int count = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		count += strncmp(line, prefix, strlen(prefix)) == 0;
	if (file != NULL)
		fclose(file);
	return count;
}

int scenario_noted(struct scenario *s, const char *format, ...)
{
	char prefix[128];
	va_list list;

	va_start(list, format);
	vsnprintf(prefix, sizeof(prefix), format, list);
	va_end(list);
	return count_noted(s, prefix);
}

const char *scenario_noted_jobs(struct scenario *s, const char *word)
{
	FILE *file = fopen(s->effects, "re");
	size_t length = strlen(word);
	char line[256];
	size_t used = 0;
	int job;

	s->text[0] = '\0';
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, word, length) == 0 && sscanf(line + length, " %d ", &job) == 1)
			used += (size_t)snprintf(s->text + used, sizeof(s->text) - used, "%s%d",
						 used == 0 ? "" : ",", job);
	if (file != NULL)
		fclose(file);
	return s->text;
}

void scenario_await_noted(struct scenario *s, int count, const char *format, ...)
{
	int64_t deadline_ms = scenario_deadline_ms();
	char prefix[128];
	va_list list;

	va_start(list, format);
	vsnprintf(prefix, sizeof(prefix), format, list);
	va_end(list);
	while (count_noted(s, prefix) < count)
		if (!scenario_pause(deadline_ms))
			scenario_fail(s, "\"%s\" was noted %d times, not %d", prefix,
				      count_noted(s, prefix), count);
}

pid_t scenario_noted_pid(struct scenario *s, const char *start)
{
	FILE *file = fopen(s->effects, "re");
	char line[256];
	long pid = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, start, strlen(start)) == 0)
			pid = strtol(strrchr(line, ' '), NULL, 10);
	if (file != NULL)
		fclose(file);
	if (pid <= 0)
		scenario_fail(s, "\"%s\" was not noted", start);
	return (pid_t)pid;
}

/* --- the database ------------------------------------------------------------------------------ */

void scenario_await(struct scenario *s, const char *format, ...)
{
	int64_t deadline_ms = scenario_deadline_ms();
	char query[4096];
	va_list list;

	va_start(list, format);
	vsnprintf(query, sizeof(query), format, list);
	va_end(list);
	while (strcmp(database_text(s->database, "%s", query), "t") != 0)
		if (!scenario_pause(deadline_ms))
			scenario_fail(s, "never true: %s", query);
}

void scenario_await_finished(struct scenario *s, int count, const char *state)
{
	scenario_await(s, "select count(*) >= %d from locum.finished where state = '%s'", count,
		       state);
}

/* --- set-up and tear-down ---------------------------------------------------------------------- */

int scenario_open(void **state)
{
	struct scenario *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -1;
	s->database = *state;
	s->death_ms = SCENARIO_DEATH_MS;
	database_clear(state);
	snprintf(s->directory, sizeof(s->directory), "/tmp/locum-scenario.XXXXXX");
	if (mkdtemp(s->directory) == NULL || chmod(s->directory, 0755) != 0)
		return -1;
	snprintf(s->effects, sizeof(s->effects), "%s/effects", s->directory);
	write_file(s, s->effects, 0666, "");
	/* What outlives its dispatcher comes here, to be seen and ended. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return -1;
	*state = s;
	return 0;
}

int scenario_open_calm(void **state)
{
	int status = scenario_open(state);

	if (status == 0)
		((struct scenario *)*state)->death_ms = SCENARIO_CALM_DEATH_MS;
	return status;
}

/* Children that are not waited for keep their pids, so nobody else is hit. */
static void end_children(void)
{
	int64_t deadline_ms = scenario_deadline_ms();
	pid_t pids[CHILDREN_MAX];
	size_t left;
	size_t others;

	do {
		size_t count = children_list(pids, CHILDREN_MAX);

		left = 0;
		others = 0;
		for (size_t i = 0; i < count; i++) {
			if (scenario_server_owns(pids[i]))
				continue;
			others++;
			kill(pids[i], SIGKILL);
			left += waitpid(pids[i], NULL, WNOHANG) == 0;
		}
		if (others == 0)
			return;
	} while (left == 0 || scenario_pause(deadline_ms));
}

/* Ends what the dead, and a test that failed, have left in the database, so that the next test finds it at rest. */
static void end_backends(struct scenario *s)
{
	static const char OTHERS[] =
		"from pg_stat_activity where datname = current_database() and "
		"backend_type = 'client backend' and pid <> pg_backend_pid() and "
		"application_name <> 'locum/test'";
	PGresult *result;
	char query[512];

	snprintf(query, sizeof(query), "select pg_terminate_backend(pid, %d) %s",
		 SCENARIO_PATIENCE_MS, OTHERS);
	result = PQexec(s->database->sql, query);
	PQclear(result);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static bool sanitizer_spoke(const struct scenario_daemon *daemon)
{
	FILE *file = fopen(daemon->log, "re");
	char *line = NULL;
	size_t size = 0;
	bool spoke = false;

	while (file != NULL && !spoke && getline(&line, &size, file) > 0)
		spoke = strstr(line, "Sanitizer") != NULL || strstr(line, "runtime error:") != NULL;
	free(line);
	if (file != NULL)
		fclose(file);
	return spoke;
}

int scenario_close(void **state)
{
	struct scenario *s = *state;
	int status = 0;

	end_children();
	if (s->detour.relay != NULL)
		detour_close(&s->detour);
	end_backends(s);
	for (size_t i = 0; i < s->daemon_count; i++) {
		if (!sanitizer_spoke(&s->daemons[i]))
			continue;
		show_file(s->daemons[i].log);
		status = -1;
	}
	for (size_t i = 0; i < s->gate_count; i++)
		close(s->gates[i].fd);
	if (getenv("LOCUM_TEST_KEEP") == NULL)
		nftw(s->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	*state = s->database;
	free(s);
	return status;
}
