#include "tests/support/scenario_server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SERVERS = 2, CONNINFO_SIZE = SCENARIO_PATH * 4 };

static const char SCRIPT[] = "tests/support/scenario_server.sh";

struct server {
	char directory[SCENARIO_PATH / 2];
	pid_t pid;
};

static struct server servers[SERVERS];
static int first; /* which of them is the server */

static struct server *the_server(void)
{
	return &servers[first];
}

static struct server *second(void)
{
	return &servers[!first];
}

const char *scenario_server_second(void)
{
	return second()->directory;
}

const char *scenario_server_first(void)
{
	return the_server()->directory;
}

bool scenario_server_owns(pid_t pid)
{
	return pid == servers[0].pid || pid == servers[1].pid;
}

/* --- processes --------------------------------------------------------------------------------- */

/* Runs the script: to its end, or with "run" as what becomes the server. */
static pid_t start_script(const char *verb, const struct server *server, const char *from)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGQUIT);
		execl(SCRIPT, SCRIPT, verb, server->directory, from, NULL);
		_exit(127);
	}
	return pid;
}

static int run_script(const char *verb, const struct server *server, const char *from)
{
	pid_t pid = start_script(verb, server, from);
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static void write_conninfo(char conninfo[static CONNINFO_SIZE], const char *host)
{
	snprintf(conninfo, CONNINFO_SIZE, "host=%s dbname=postgres user=postgres", host);
}

static int start_server(struct server *server)
{
	int64_t deadline_ms = scenario_deadline_ms();
	char conninfo[CONNINFO_SIZE];

	write_conninfo(conninfo, server->directory);
	server->pid = start_script("run", server, NULL);
	while (server->pid > 0 && PQping(conninfo) != PQPING_OK)
		if (!scenario_pause(deadline_ms))
			return -1;
	return server->pid > 0 ? 0 : -1;
}

static void stop_server(struct scenario *s, struct server *server, int number)
{
	int status;

	if (server->pid <= 0 || kill(server->pid, number) != 0 ||
	    waitpid(server->pid, &status, 0) != server->pid)
		scenario_fail(s, "the server cannot be stopped");
	server->pid = 0;
}

/* --- the group --------------------------------------------------------------------------------- */

int scenario_server_write_clock(const char *path, int seconds)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	bool written = fd >= 0 && pwrite(fd, &seconds, sizeof(seconds), 0) == sizeof(seconds);

	if (fd >= 0)
		close(fd);
	return written ? 0 : -1;
}

static int write_clock(int seconds)
{
	char path[SCENARIO_PATH * 2];

	snprintf(path, sizeof(path), "%s/clock", the_server()->directory);
	return scenario_server_write_clock(path, seconds);
}

void scenario_server_set_clock(struct scenario *s, int seconds)
{
	if (write_clock(seconds) != 0)
		scenario_fail(s, "the clock cannot be set");
	assert_sql(s->database, "t",
		   "select abs(extract(epoch from clock_timestamp()) - %lld) < 60",
		   (long long)time(NULL) + seconds);
}

static int open_server(void **state, bool with_clock)
{
	char conninfo[CONNINFO_SIZE];

	for (int i = 0; i < SERVERS; i++) {
		snprintf(servers[i].directory, sizeof(servers[i].directory),
			 "/tmp/locum-server.XXXXXX");
		if (mkdtemp(servers[i].directory) == NULL)
			return -1;
	}
	if (run_script("make", the_server(), NULL) != 0 || (with_clock && write_clock(0) != 0) ||
	    start_server(the_server()) != 0)
		return -1;
	write_conninfo(conninfo, the_server()->directory);
	setenv("LOCUM_TEST_CONNINFO", conninfo, 1);
	return database_open(state);
}

int scenario_server_open(void **state)
{
	return open_server(state, false);
}

int scenario_server_open_with_clock(void **state)
{
	return open_server(state, true);
}

int scenario_server_close(void **state)
{
	struct database *d = *state;
	int status = 0;

	if (d != NULL) {
		db_close(d->db);
		PQfinish(d->sql);
		free(d);
	}
	for (int i = 0; i < SERVERS; i++) {
		if (servers[i].pid > 0) {
			kill(servers[i].pid, SIGQUIT);
			waitpid(servers[i].pid, NULL, 0);
			servers[i].pid = 0;
		}
		status |= run_script("remove", &servers[i], NULL);
	}
	return status;
}

/* --- the server -------------------------------------------------------------------------------- */

void scenario_server_stop(struct scenario *s, int number)
{
	stop_server(s, the_server(), number);
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
	if (start_server(the_server()) != 0)
		scenario_fail(s, "the server does not start");
	scenario_server_reconnect(s);
}

/* --- a second server --------------------------------------------------------------------------- */

/* Makes the second server anew and starts it. */
static void begin_second(struct scenario *s, const char *verb, const char *from)
{
	if (second()->pid > 0)
		stop_server(s, second(), SIGQUIT);
	if (run_script(verb, second(), from) != 0 || start_server(second()) != 0)
		scenario_fail(s, "the second server cannot be made; see %s/server.log",
			      second()->directory);
}

void scenario_server_name(struct scenario *s, const char *host, const char *next)
{
	struct database *d = s->database;

	snprintf(d->conninfo, sizeof(d->conninfo), "host=%s%s%s user=postgres dbname=%s", host,
		 next == NULL ? "" : ",", next == NULL ? "" : next, d->name);
}

/* The test finds whichever server writes; a dispatcher must do so by itself. */
static void name_both(struct scenario *s)
{
	struct database *d = s->database;
	size_t length;

	scenario_server_name(s, scenario_server_second(), scenario_server_first());
	length = strlen(d->conninfo);
	snprintf(d->conninfo + length, sizeof(d->conninfo) - length,
		 " target_session_attrs=read-write");
	PQfinish(d->sql);
	d->sql = database_connection(d);
	d->conninfo[length] = '\0';
}

/* Runs SQL on the second server. */
static void do_on_second(struct scenario *s, const char *command)
{
	char conninfo[CONNINFO_SIZE];
	PGconn *conn;
	PGresult *result;

	write_conninfo(conninfo, second()->directory);
	conn = PQconnectdb(conninfo);
	result = PQexec(conn, command);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		scenario_fail(s, "%s", PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
}

void scenario_server_replicate(struct scenario *s)
{
	scenario_server_synchronous(s, false);
	begin_second(s, "copy", the_server()->directory);
	name_both(s);
	scenario_server_await_replayed(s);
}

void scenario_server_make_other(struct scenario *s)
{
	char command[CONNINFO_SIZE];

	begin_second(s, "make", NULL);
	snprintf(command, sizeof(command), "create database %s", s->database->name);
	do_on_second(s, command);
}

void scenario_server_synchronous(struct scenario *s, bool on)
{
	database_do(s->database, "alter system set synchronous_standby_names = '%s'",
		    on ? "*" : "");
	database_do(s->database, "select pg_reload_conf()");
	scenario_await(s, "select current_setting('synchronous_standby_names') = '%s'",
		       on ? "*" : "");
}

void scenario_server_await_replayed(struct scenario *s)
{
	char position[64];

	snprintf(position, sizeof(position), "%s",
		 database_text(s->database, "select pg_current_wal_insert_lsn()"));
	scenario_await(s,
		       "select coalesce(max(replay_lsn) >= '%s', false) from pg_stat_replication",
		       position);
}

void scenario_server_hold_back(struct scenario *s)
{
	do_on_second(s, "alter system set primary_conninfo = ''");
	do_on_second(s, "select pg_reload_conf()");
	scenario_await(s, "select count(*) = 0 from pg_stat_replication");
}

void scenario_server_promote(struct scenario *s)
{
	do_on_second(s, "select pg_promote()");
	first = !first;
	scenario_server_reconnect(s);
}

void scenario_server_start_former(struct scenario *s)
{
	if (start_server(second()) != 0)
		scenario_fail(s, "the former server does not start");
}

void scenario_server_stop_former(struct scenario *s, int number)
{
	stop_server(s, second(), number);
}
