/* A server that has no transaction numbers left: row 57. */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/faults/tune.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage.h"
#include "tools/locum/program.h"

#define OWNER "postgres"

enum {
	RESET_MS = 60000,
	REFUSAL_MS = 30000,
	VACUUM_MS = 120000,
	NUMBER_SIZE = 24,
	SEGMENT = 1 << 20, /* transactions in a file of their states; the first one makes it */
	RESERVE = 3000000, /* so many before the last the server gives out none */
};

static bool is_refused(struct bout *bout)
{
	struct error err = { ERROR_NONE, "", "" };

	return server_run(bout->stage->server, "wrap_probe", NULL, 0, NULL, &err) != 0 &&
	       strcmp(err.sqlstate, "54000") == 0;
}

static bool is_given(struct bout *bout)
{
	return server_run(bout->stage->server, "wrap_probe", NULL, 0, NULL, NULL) == 0;
}

/* Where the server's programs are themselves: PATH may lead to links to some of them. */
static int find_program(char *program, struct error *err)
{
	char *folder = program_server_folder(0, err);
	char real[PATH_MAX] = "";
	char *last;

	if (folder == NULL)
		return -1;
	snprintf(program, PATH_MAX, "%s/postgres", folder);
	free(folder);
	last = realpath(program, real) == NULL ? NULL : strrchr(real, '/');
	if (last == NULL)
		return error_set(err, ERROR_FATAL, "%s cannot be found", program);
	*last = '\0';
	snprintf(program, PATH_MAX, "%.*s/pg_resetwal", PATH_MAX - 32, real);
	if (access(program, X_OK) != 0)
		return error_set(err, ERROR_FATAL, "%s cannot be run", program);
	return 0;
}

/* Lets the server that is stopped go on with that transaction. */
static int reset(struct bout *bout, int64_t next, int64_t oldest, struct error *err)
{
	char program[PATH_MAX];
	char next_text[NUMBER_SIZE];
	char oldest_text[NUMBER_SIZE];
	const char *const argv[] = {
		program, "-x", next_text, "-u", oldest_text, "-D", server_data(bout->stage->server),
		NULL
	};
	const struct undo_spawn spawn = { .argv = argv, .user = geteuid() == 0 ? OWNER : NULL };
	int status = -1;
	pid_t pid;

	if (find_program(program, err) != 0)
		return -1;
	snprintf(next_text, sizeof(next_text), "%" PRId64, next);
	snprintf(oldest_text, sizeof(oldest_text), "%" PRId64, oldest);
	if (undo_spawn(bout->stage->undo, &spawn, &pid, err) != 0 ||
	    undo_wait(bout->stage->undo, pid, RESET_MS, &status, err) < 0)
		return -1;
	return status == 0 ? 0 : error_set(err, ERROR_FATAL, "pg_resetwal failed");
}

static int possible(struct error *err)
{
	char program[PATH_MAX];

	return find_program(program, err);
}

static int inject(struct bout *bout, struct error *err)
{
	struct server *server = bout->stage->server;
	int64_t oldest;
	int64_t next;

	/* Without its slot the recorder goes by the triggers' clock. */
	bout->stage->ordered = false;
	if (server_run(server, "slot_drop", NULL, 0, NULL, err) != 0 ||
	    server_run(server, "wrap_oldest", NULL, 0, &oldest, err) != 0 ||
	    tune_set(server, bout->fault->name, "autovacuum_naptime = 1s\n", err) != 0 ||
	    server_stop(server, SIGINT, err) != 0)
		return -1;
	next = ((oldest + INT32_MAX - RESERVE) / SEGMENT + 1) * SEGMENT;
	if (reset(bout, next, oldest, err) != 0 || server_start(server, err) != 0 ||
	    bout_await(bout, is_refused, REFUSAL_MS, "the server gives out no transactions", err) !=
		    0)
		return -1;
	bout_witness(bout, "the server refuses new transactions with 54000, at %" PRId64, next);
	return 0;
}

/* The server's own vacuum, which it starts by itself then, makes room. */
static int heal(struct bout *bout, struct error *err)
{
	if (server_start(bout->stage->server, err) != 0 ||
	    bout_await(bout, is_given, VACUUM_MS, "the server gives out transactions again", err) !=
		    0)
		return -1;
	return tune_unset(bout->stage->server, bout->fault->name, err);
}

const struct fault fault_wraparound[] = {
	{
		.row = 57,
		.name = "transactions-exhausted",
		.stage = STAGE_ALONE,
		.demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP | FAULT_OWNS_SERVER,
		.what = "the server has used up its transaction numbers and gives out none before old "
			"ones are cleaned away",
		.tool = "pg_resetwal",
		.witness = "the server refuses a new transaction with 54000",
		.heals = "the server's own vacuum cleans up",
		.pass = "work goes on by itself; nobody dies",
		.possible = possible,
		.inject = inject,
		.heal = heal,
	},
	{ 0 },
};
