#include "tests/support/scenario_server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char SCRIPT[] = "tests/support/scenario_server.sh";

static struct {
	char directory[SCENARIO_PATH];
	pid_t pid;
} server;

pid_t scenario_server_pid(void)
{
	return server.pid;
}

/* Runs the script: "make" to its end, "run" as what becomes the server. */
static pid_t start_script(const char *verb)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGQUIT);
		execl(SCRIPT, SCRIPT, verb, server.directory, NULL);
		_exit(127);
	}
	return pid;
}

static int is_up(const char *conninfo)
{
	return PQping(conninfo) == PQPING_OK;
}

static int start_server(const char *conninfo)
{
	int64_t deadline_ms = scenario_deadline_ms();

	server.pid = start_script("run");
	while (server.pid > 0 && !is_up(conninfo))
		if (!scenario_pause(deadline_ms))
			return -1;
	return server.pid > 0 ? 0 : -1;
}

int scenario_server_open(void **state)
{
	char conninfo[SCENARIO_PATH * 2];
	int status;
	pid_t maker;

	snprintf(server.directory, sizeof(server.directory), "/tmp/locum-server.XXXXXX");
	if (mkdtemp(server.directory) == NULL)
		return -1;
	maker = start_script("make");
	if (maker < 0 || waitpid(maker, &status, 0) != maker || status != 0)
		return -1;
	snprintf(conninfo, sizeof(conninfo), "host=%s dbname=postgres user=postgres",
		 server.directory);
	setenv("LOCUM_TEST_CONNINFO", conninfo, 1);
	if (start_server(conninfo) != 0)
		return -1;
	return database_open(state);
}

int scenario_server_close(void **state)
{
	struct database *d = *state;
	pid_t remover;

	if (d != NULL) {
		db_close(d->db);
		PQfinish(d->sql);
		free(d);
	}
	if (server.pid > 0) {
		kill(server.pid, SIGQUIT);
		waitpid(server.pid, NULL, 0);
		server.pid = 0;
	}
	remover = start_script("remove");
	return waitpid(remover, NULL, 0) == remover ? 0 : -1;
}

void scenario_server_stop(struct scenario *s, int number)
{
	int status;

	if (kill(server.pid, number) != 0 || waitpid(server.pid, &status, 0) != server.pid)
		scenario_fail(s, "the server cannot be stopped");
	server.pid = 0;
}

static bool answers(PGconn *sql)
{
	PGresult *result = PQexec(sql, "select 1");
	bool answered = PQresultStatus(result) == PGRES_TUPLES_OK;

	PQclear(result);
	return answered;
}

void scenario_server_reconnect(struct scenario *s)
{
	int64_t deadline_ms = scenario_deadline_ms();
	PGconn *sql = s->database->sql;

	while (!answers(sql)) {
		if (!scenario_pause(deadline_ms))
			scenario_fail(s, "%s", PQerrorMessage(sql));
		PQreset(sql);
	}
}

void scenario_server_await_crash(struct scenario *s)
{
	int64_t deadline_ms = scenario_deadline_ms();

	while (answers(s->database->sql))
		if (!scenario_pause(deadline_ms))
			scenario_fail(s, "the server lives on");
	scenario_server_reconnect(s);
}

void scenario_server_start(struct scenario *s)
{
	if (start_server(s->database->conninfo) != 0)
		scenario_fail(s, "the server does not start");
	scenario_server_reconnect(s);
}
