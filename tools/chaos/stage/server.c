#include "tools/chaos/stage/server.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/database.h"
#include "tools/chaos/sql.h"
#include "tools/chaos/stage/answer.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/server_files.h"
#include "tools/locum/program.h"

#define OWNER "postgres" /* the server refuses to run as root */
#define CONNECT_S "5"
enum {
	START_MS = 60000,
	ANSWER_MS = 60000,
	MAKE_MS = 120000,
	STOP_MS = 60000,
	PAUSE_MS = 20,
	CONNINFO_SIZE = 512
};

struct server {
	struct undo *undo;
	char *folder;
	char *data;
	char *log;
	char *programs; /* of PostgreSQL */
	char *conninfo; /* of the database "locum" */
	char *env[3];
	int port;
	pid_t pid;
	PGconn *conn;
};

static char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *format_text(const char *format, ...)
{
	char *text = NULL;
	va_list list;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		text = NULL;
	va_end(list);
	return text;
}

/* --- looking at it ------------------------------------------------------------------------------ */

const char *server_conninfo(const struct server *server)
{
	return server->conninfo;
}

pid_t server_pid(const struct server *server)
{
	return process_lives(server->pid) ? server->pid : 0;
}

const char *server_programs(const struct server *server)
{
	return server->programs;
}

const char *server_data(const struct server *server)
{
	return server->data;
}

const char *server_folder(const struct server *server)
{
	return server->folder;
}

int server_port(const struct server *server)
{
	return server->port;
}

/* --- asking it ---------------------------------------------------------------------------------- */

/* What the server says besides, of its crashes for one, is not for stderr. */
static void ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

static PGconn *dial(const char *conninfo)
{
	const char *const keywords[] = { "dbname", "connect_timeout", NULL };
	const char *const values[] = { conninfo, CONNECT_S, NULL };

	PGconn *conn = PQconnectdbParams(keywords, values, 1);

	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	return conn;
}

PGconn *server_connection(struct server *server, struct error *err)
{
	if (server->conn != NULL && PQstatus(server->conn) == CONNECTION_OK)
		PQconsumeInput(server->conn); /* finds out that it was closed */
	if (server->conn != NULL && PQstatus(server->conn) == CONNECTION_OK)
		return server->conn;
	PQfinish(server->conn);
	server->conn = dial(server->conninfo);
	if (PQstatus(server->conn) == CONNECTION_OK)
		return server->conn;
	error_set(err, ERROR_RETRY, "the server does not answer: %s", PQerrorMessage(server->conn));
	PQfinish(server->conn);
	server->conn = NULL;
	return NULL;
}

static const char *find_text(const char *name, struct error *err)
{
	for (const struct embedded_sql *sql = EMBEDDED_CHAOS; sql->name != NULL; sql++)
		if (strcmp(sql->name, name) == 0)
			return sql->text;
	error_set(err, ERROR_FATAL, "there is no statement %s", name);
	return NULL;
}

static int judge(struct server *server, const char *name, const PGresult *result, struct error *err)
{
	ExecStatusType status = PQresultStatus(result);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (result == NULL) {
		PQfinish(server->conn);
		server->conn = NULL;
		return error_set(err, ERROR_RETRY, "%s: the server did not answer", name);
	}
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return 0;
	error_set(err, ERROR_RETRY, "%s: %s", name, PQerrorMessage(server->conn));
	if (err != NULL && sqlstate != NULL)
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	return -1;
}

int server_look(struct server *server, const char *name, const char *const *params, int param_count,
		char *text, size_t size, struct error *err)
{
	const char *sql = find_text(name, err);
	PGconn *conn = sql == NULL ? NULL : server_connection(server, err);
	PGresult *result;
	int status;

	if (conn == NULL)
		return -1;
	result = PQsendQueryParams(conn, sql, param_count, NULL, params, NULL, NULL, 0) == 1
			 ? answer_await(conn, ANSWER_MS)
			 : NULL;
	status = judge(server, name, result, err);
	if (status == 0)
		snprintf(text, size, "%s",
			 PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0)
									: "");
	PQclear(result);
	return status;
}

int server_run(struct server *server, const char *name, const char *const *params, int param_count,
	       int64_t *value, struct error *err)
{
	char text[64];

	if (server_look(server, name, params, param_count, text, sizeof(text), err) != 0)
		return -1;
	if (value != NULL)
		*value = text[0] == 't' ? 1 : strtoll(text, NULL, 10);
	return 0;
}

int server_script(struct server *server, const char *name, struct error *err)
{
	const char *sql = find_text(name, err);
	PGconn *conn = sql == NULL ? NULL : server_connection(server, err);
	PGresult *result;
	int status;

	if (conn == NULL)
		return -1;
	result = PQsendQuery(conn, sql) == 1 ? answer_await(conn, ANSWER_MS) : NULL;
	status = judge(server, name, result, err);
	PQclear(result);
	return status;
}

int server_await(struct server *server, int64_t timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

	/* A connection may not know yet that the server ended it. */
	while (server_run(server, "server_now", NULL, 0, NULL, err) != 0) {
		if (clock_monotonic_ms() >= deadline_ms)
			return -1;
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

/* --- starting and stopping it ------------------------------------------------------------------- */

static const char *owner(void)
{
	return geteuid() == 0 ? OWNER : NULL;
}

/* A standby has no such database before it has caught up, and anybody answers for a server. */
static int await_start(struct server *server, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + START_MS;
	char conninfo[CONNINFO_SIZE];
	int status;

	snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=" OWNER " dbname=postgres",
		 server->folder, server->port);
	while (PQping(conninfo) != PQPING_OK) {
		if (undo_wait(server->undo, server->pid, 0, &status, err) != 0) {
			server->pid = 0;
			return error_set(err, ERROR_FATAL, "the server has ended; see %s",
					 server->log);
		}
		if (clock_monotonic_ms() >= deadline_ms)
			return error_set(err, ERROR_FATAL,
					 "the server does not answer within %d s; see %s",
					 START_MS / 1000, server->log);
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

int server_start(struct server *server, struct error *err)
{
	char program[PATH_MAX];
	const char *const argv[] = { program, "-D", server->data, NULL };
	const struct undo_spawn spawn = { .argv = argv,
					  .env = (const char *const *)(void *)server->env,
					  .user = owner(),
					  .output = server->log,
					  .death_signal = SIGQUIT };

	if (server_pid(server) != 0)
		return 0;
	if (server->programs == NULL)
		return error_set(err, ERROR_FATAL, "a server that was given cannot be started");
	snprintf(program, sizeof(program), "%s/postgres", server->programs);
	if (server->pid > 0 && undo_wait(server->undo, server->pid, 0, NULL, err) < 0)
		return -1;
	if (undo_spawn(server->undo, &spawn, &server->pid, err) != 0)
		return -1;
	return await_start(server, err);
}

/* Its backends outlive a killed one for a moment, and the next start refuses to work beside them. */
int server_stop(struct server *server, int signal, struct error *err)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = process_tree(server->pid, pids, PROCESS_TREE_MAX);

	if (server_pid(server) == 0)
		return 0;
	if (kill(server->pid, signal) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot stop the server");
	for (size_t i = count; i-- > 0;)
		if (!process_await_end(pids[i], STOP_MS))
			return error_set(err, ERROR_FATAL, "the server's process %d does not end",
					 (int)pids[i]);
	if (undo_wait(server->undo, server->pid, STOP_MS, NULL, err) < 0)
		return -1;
	server->pid = 0;
	/* Its last words may still be unread on it, so that it does not look lost. */
	PQfinish(server->conn);
	server->conn = NULL;
	return 0;
}

/* --- making it ---------------------------------------------------------------------------------- */

/* Where the server is itself: PATH may lead to links to some of its programs. NULL on error. */
static char *find_programs(struct error *err)
{
	char *folder = program_server_folder(0, err);
	char *program = folder == NULL ? NULL : format_text("%s/postgres", folder);
	char *real = program == NULL ? NULL : realpath(program, NULL);

	if (folder != NULL && real == NULL)
		error_set_errno(err, ERROR_FATAL, errno, "cannot find PostgreSQL in %s", folder);
	else if (real != NULL)
		*strrchr(real, '/') = '\0';
	free(program);
	free(folder);
	return real;
}

static struct server *begin(const struct server_terms *terms, struct error *err)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	server->undo = terms->undo;
	for (size_t i = 0; terms->env[i] != NULL; i++)
		server->env[i] = strdup(terms->env[i]);
	server->port = terms->port;
	server->folder = strdup(terms->folder);
	server->log = strdup(terms->log);
	server->data = format_text("%s/data", terms->folder);
	server->conninfo = format_text("host=%s port=%d user=" OWNER
				       " dbname=locum connect_timeout=5",
				       terms->folder, terms->port);
	server->programs = find_programs(err);
	if (server->folder != NULL && server->log != NULL && server->data != NULL &&
	    server->conninfo != NULL && server->programs != NULL)
		return server;
	if (server->programs != NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	server_close(server);
	return NULL;
}

static int make_folder(const struct server *server, struct error *err)
{
	const struct passwd *user = owner() == NULL ? NULL : getpwnam(OWNER);

	if (mkdir(server->folder, 0755) != 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", server->folder);
	if (owner() == NULL)
		return 0;
	if (user == NULL)
		return error_set(err, ERROR_FATAL,
				 "there is no user " OWNER ", who has to own the server: install "
				 "PostgreSQL");
	if (chown(server->folder, user->pw_uid, user->pw_gid) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot give %s to " OWNER,
				       server->folder);
	return 0;
}

/* Runs one of its programs as its owner, to the end. */
static int run_program(struct server *server, const char *const *argv, struct error *err)
{
	const struct undo_spawn spawn = { .argv = argv, .user = owner(), .output = server->log };
	int status = 0;
	pid_t pid;
	int ended;

	if (undo_spawn(server->undo, &spawn, &pid, err) != 0)
		return -1;
	ended = undo_wait(server->undo, pid, MAKE_MS, &status, err);
	if (ended == 1 && status == 0)
		return 0;
	return ended < 0 ? -1
			 : error_set(err, ERROR_FATAL, "%s failed; see %s", argv[0], server->log);
}

static int make_cluster(struct server *server, const struct server_terms *terms, struct error *err)
{
	char program[PATH_MAX];
	const char *const argv[] = { program,
				     "--pgdata",
				     server->data,
				     "--username=" OWNER,
				     "--encoding=UTF8",
				     "--locale=C.UTF-8",
				     "--auth=peer",
				     "--no-sync",
				     NULL };

	snprintf(program, sizeof(program), "%s/initdb", server->programs);
	if (make_folder(server, err) != 0 || run_program(server, argv, err) != 0)
		return -1;
	return server_files_write(server->data, terms, err);
}

static int make_database(const struct server *server, struct error *err)
{
	char conninfo[CONNINFO_SIZE];
	const struct db_options options = { .conninfo = conninfo, .answer_ms = START_MS };
	struct db *db;
	int status;

	snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=" OWNER " dbname=postgres",
		 server->folder, server->port);
	if (db_open(&db, &options, err) != 0)
		return -1;
	status = database_ensure(db, err);
	db_close(db);
	return status;
}

struct server *server_make(const struct server_terms *terms, struct error *err)
{
	struct server *server = begin(terms, err);

	if (server == NULL)
		return NULL;
	if (make_cluster(server, terms, err) == 0 && server_start(server, err) == 0 &&
	    make_database(server, err) == 0)
		return server;
	server_close(server);
	return NULL;
}

static int copy_cluster(struct server *server, const struct server_terms *terms,
			const struct server *primary, struct error *err)
{
	char program[PATH_MAX];
	char source[CONNINFO_SIZE];
	const char *const argv[] = { program,
				     "--pgdata",
				     server->data,
				     "--dbname",
				     source,
				     "--write-recovery-conf",
				     "--wal-method=stream",
				     "--checkpoint=fast",
				     "--no-sync",
				     NULL };

	snprintf(program, sizeof(program), "%s/pg_basebackup", server->programs);
	snprintf(source, sizeof(source), "host=%s port=%d user=" OWNER " application_name=standby",
		 primary->folder, primary->port);
	if (make_folder(server, err) != 0 || run_program(server, argv, err) != 0)
		return -1;
	return server_files_write(server->data, terms, err);
}

struct server *server_follow(const struct server_terms *terms, const struct server *primary,
			     struct error *err)
{
	struct server *server = begin(terms, err);

	if (server == NULL)
		return NULL;
	if (copy_cluster(server, terms, primary, err) == 0 && server_start(server, err) == 0)
		return server;
	server_close(server);
	return NULL;
}

struct server *server_given(const char *conninfo, struct error *err)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server != NULL)
		server->conninfo = strdup(conninfo);
	if (server != NULL && server->conninfo != NULL)
		return server;
	free(server);
	error_set(err, ERROR_RETRY, "out of memory");
	return NULL;
}

void server_close(struct server *server)
{
	if (server == NULL)
		return;
	PQfinish(server->conn);
	server->conn = NULL;
	/* One that does not stop is ended by the ledger. */
	if (server->pid > 0)
		kill(server->pid, SIGCONT);
	server_stop(server, SIGQUIT, NULL);
	for (size_t i = 0; server->env[i] != NULL; i++)
		free(server->env[i]);
	free(server->folder);
	free(server->data);
	free(server->log);
	free(server->programs);
	free(server->conninfo);
	free(server);
}
