#include "tools/chaos/stage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/fleet.h"
#include "tools/chaos/recorder.h"
#include "tools/chaos/server.h"
#include "tools/chaos/stage_folder.h"

enum { PORT = 5432, CONNECTIONS = 100, CONNECTIONS_EACH = 8, INIT_MS = 60000, SETTLE_MS = 60000 };

const char *stage_conninfo(const struct stage *stage)
{
	return stage->conninfo;
}

const char *stage_support(const struct stage *stage, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/support/%s", stage->scratch, name);
	return path;
}

/* --- the server --------------------------------------------------------------------------------- */

static struct server *make_server(const struct stage *stage, struct error *err)
{
	char folder[PATH_MAX];
	char log[PATH_MAX];
	const struct server_terms terms = {
		.undo = stage->undo,
		.folder = folder,
		.log = log,
		.settings = "",
		.access = "",
		.port = PORT,
		.connections = CONNECTIONS + CONNECTIONS_EACH * stage->act->dispatchers,
	};

	if (stage->plan->conninfo != NULL)
		return server_given(stage->plan->conninfo, err);
	snprintf(folder, sizeof(folder), "%s/server", stage->scratch);
	snprintf(log, sizeof(log), "%s/logs/server.log", stage->folder);
	return server_make(&terms, err);
}

/* A database that was given is cleaned of the recorder however the run ends. */
static int note_database(const struct stage *stage, struct error *err)
{
	if (stage->plan->conninfo == NULL)
		return 0;
	return undo_add(stage->undo, UNDO_SCRATCH, stage->plan->conninfo, err);
}

static int fill_server(struct stage *stage, struct error *err)
{
	char program[PATH_MAX];
	const char *const argv[] = { program, "init", "-d", server_conninfo(stage->server), NULL };
	PGconn *conn;

	snprintf(program, sizeof(program), "%s/locum", stage->programs);
	if (undo_run(stage->undo, argv, INIT_MS, err) != 0 || note_database(stage, err) != 0)
		return -1;
	conn = server_connection(stage->server, err);
	if (conn == NULL || recorder_install(conn, &stage->ordered, err) != 0)
		return -1;
	return server_script(stage->server, "witness_install", err);
}

/* --- raising and striking ----------------------------------------------------------------------- */

static int make_conninfo(struct stage *stage, struct error *err)
{
	stage->conninfo = strdup(server_conninfo(stage->server));
	return stage->conninfo == NULL ? error_set(err, ERROR_RETRY, "out of memory") : 0;
}

int stage_raise(struct stage *stage, enum stage_kind kind, struct error *err)
{
	(void)kind;
	stage->nemesis.fd = -1;
	if (history_open(&stage->nemesis, stage->folder, "nemesis.log", err) != 0 ||
	    stage_folder_make(stage, err) != 0)
		return -1;
	stage->server = make_server(stage, err);
	if (stage->server == NULL || fill_server(stage, err) != 0 || make_conninfo(stage, err) != 0)
		return -1;
	stage->fleet = fleet_make(stage, err);
	return stage->fleet == NULL ? -1 : fleet_settle(stage->fleet, SETTLE_MS, err);
}

int stage_strike(struct stage *stage, struct error *err)
{
	int status;

	fleet_close(stage->fleet);
	server_close(stage->standby);
	server_close(stage->server);
	if (stage->plan->conninfo != NULL)
		undo_now(stage->undo, UNDO_SCRATCH, stage->plan->conninfo, NULL);
	status = stage_folder_remove(stage, err);
	history_close(&stage->nemesis);
	free(stage->conninfo);
	free(stage->scratch);
	stage->fleet = NULL;
	stage->standby = stage->server = NULL;
	stage->conninfo = stage->scratch = NULL;
	return status;
}
