#include "tools/chaos/stage/stage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/chaos/history/recorder.h"
#include "tools/chaos/relay/relay.h"
#include "tools/chaos/stage/fleet.h"
#include "tools/chaos/stage/network.h"
#include "tools/chaos/stage/pooler.h"
#include "tools/chaos/stage/pulse.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage_folder.h"
#include "tools/chaos/undo/undo_folder.h"

enum {
	PORT = 5432,
	NETWORK_PORT = 25432,
	CONNECTIONS = 100,
	CONNECTIONS_EACH = 8,
	INIT_MS = 60000,
	SETTLE_MS = 60000,
	SETTING_SIZE = 256
};

/* Room for a few segments of WAL and the jobs of an act; a fault fills the rest. */
static const int64_t DISK_BYTES = (int64_t)1 << 30;
#define SMALL_WAL "max_wal_size = 96MB\nmin_wal_size = 32MB\n"

const char *stage_conninfo(const struct stage *stage)
{
	return stage->conninfo;
}

const char *stage_support(const struct stage *stage, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/support/%s", stage->scratch, name);
	return path;
}

/* --- servers ------------------------------------------------------------------------------------ */

/* What the two servers of a stage have in common. The texts live in `words`. */
struct server_words {
	char folder[PATH_MAX];
	char log[PATH_MAX];
	char preload[PATH_MAX * 2];
	char clock[PATH_MAX * 2];
	char settings[SETTING_SIZE];
	char access[SETTING_SIZE];
};

static void write_settings(const struct stage *stage, struct server_words *words)
{
	words->settings[0] = words->access[0] = '\0';
	if (stage->kind == STAGE_DISK)
		snprintf(words->settings, SETTING_SIZE, "%s", SMALL_WAL);
	if (stage->kind != STAGE_NETWORK)
		return;
	snprintf(words->settings, SETTING_SIZE, "listen_addresses = '%s'\n",
		 network_server(stage->network));
	snprintf(words->access, SETTING_SIZE, "host all all %s trust\n",
		 network_range(stage->network));
}

static void write_words(const struct stage *stage, const char *name, struct server_words *words)
{
	char path[PATH_MAX];

	snprintf(words->folder, PATH_MAX, "%s/%s", stage->scratch, name);
	snprintf(words->log, PATH_MAX, "%s/logs/%s.log", stage->folder, name);
	stage_support(stage, "skew.so", path, sizeof(path));
	snprintf(words->preload, sizeof(words->preload), "LD_PRELOAD=%s", path);
	snprintf(words->clock, sizeof(words->clock), "SKEW_FILE=%s/clock", words->folder);
	write_settings(stage, words);
}

/* A second one follows the first. */
static struct server *make_server(const struct stage *stage, const char *name,
				  const struct server *first, struct error *err)
{
	struct server_words words;
	struct server_terms terms = {
		.undo = stage->undo,
		.folder = words.folder,
		.log = words.log,
		.settings = words.settings,
		.access = words.access,
		.port = stage->kind == STAGE_NETWORK ? NETWORK_PORT : PORT,
		.connections = CONNECTIONS + CONNECTIONS_EACH * stage->act->dispatchers,
	};

	write_words(stage, name, &words);
	if (stage->kind == STAGE_CLOCK) {
		terms.env[0] = words.preload;
		terms.env[1] = words.clock;
	}
	return first == NULL ? server_make(&terms, err) : server_follow(&terms, first, err);
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

/* What the server needs before it is made. */
static int prepare(struct stage *stage, struct error *err)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s/server", stage->scratch);
	if (stage->kind == STAGE_NETWORK) {
		stage->network = network_open(stage->undo, stage->scratch, stage->act->dispatchers,
					      err);
		return stage->network == NULL ? -1 : 0;
	}
	if (stage->kind == STAGE_DISK)
		return stage_folder_limit(stage, DISK_BYTES, err);
	if (stage->kind != STAGE_CLOCK)
		return 0;
	if (mkdir(folder, 0755) != 0)
		return error_set(err, ERROR_FATAL, "cannot make %s", folder);
	return stage_folder_write_clock(folder, 0, 0, err);
}

/* Only a plain stage can be played on a database that is given: all others do something to its server. */
static int raise_server(struct stage *stage, struct error *err)
{
	bool given = stage->plan->conninfo != NULL;

	if (given && stage->kind != STAGE_PLAIN)
		return error_set(err, ERROR_INPUT,
				 "faults of the stage \"%s\" need a private server",
				 fault_stage_name(stage->kind));
	if (!given && prepare(stage, err) != 0)
		return -1;
	stage->server = given ? server_given(stage->plan->conninfo, err)
			      : make_server(stage, "server", NULL, err);
	return stage->server == NULL ? -1 : fill_server(stage, err);
}

/* --- what stands before it ---------------------------------------------------------------------- */

static int take_conninfo(struct stage *stage, char *conninfo, struct error *err)
{
	stage->conninfo = conninfo;
	return conninfo == NULL ? error_set(err, ERROR_RETRY, "out of memory") : 0;
}

static int raise_relay(struct stage *stage, struct error *err)
{
	char folder[PATH_MAX];
	char *conninfo = NULL;

	snprintf(folder, sizeof(folder), "%s/relay", stage->scratch);
	if (mkdir(folder, 0755) != 0)
		return error_set(err, ERROR_FATAL, "cannot make %s", folder);
	stage->relay = relay_open(folder, server_folder(stage->server), server_port(stage->server),
				  err);
	if (stage->relay == NULL)
		return -1;
	if (asprintf(&conninfo, "host=%s port=%d user=postgres dbname=locum", folder, PORT) < 0)
		conninfo = NULL;
	return take_conninfo(stage, conninfo, err);
}

static int raise_standby(struct stage *stage, struct error *err)
{
	char *conninfo = NULL;

	stage->standby = make_server(stage, "standby", stage->server, err);
	if (stage->standby == NULL)
		return -1;
	if (asprintf(&conninfo,
		     "host=%s,%s port=%d user=postgres dbname=locum "
		     "target_session_attrs=read-write",
		     server_folder(stage->server), server_folder(stage->standby), PORT) < 0)
		conninfo = NULL;
	return take_conninfo(stage, conninfo, err);
}

static int raise_pooler(struct stage *stage, struct error *err)
{
	stage->pooler = pooler_open(stage, server_folder(stage->server), server_port(stage->server),
				    err);
	return stage->pooler == NULL
		       ? -1
		       : take_conninfo(stage, strdup(pooler_conninfo(stage->pooler)), err);
}

static int raise_front(struct stage *stage, struct error *err)
{
	switch (stage->kind) {
	case STAGE_RELAY:
		return raise_relay(stage, err);
	case STAGE_REPLICA:
		return raise_standby(stage, err);
	case STAGE_POOLER:
		return raise_pooler(stage, err);
	case STAGE_PLAIN:
	case STAGE_NETWORK:
	case STAGE_CLOCK:
	case STAGE_DISK:
	case STAGE_ALONE:
	case STAGE_KINDS:
		break;
	}
	return take_conninfo(stage, strdup(server_conninfo(stage->server)), err);
}

/* --- the fleet ---------------------------------------------------------------------------------- */

int stage_set_clock(struct stage *stage, int place, int seconds, int fast, struct error *err)
{
	return stage_folder_write_clock(place < 0 ? server_folder(stage->server)
						  : fleet_folder(stage->fleet, place),
					seconds, fast, err);
}

/* Puts a dispatcher where the stage wants it. */
static int place(struct stage *stage, int place, struct error *err)
{
	char conninfo[SETTING_SIZE];

	if (stage->kind == STAGE_CLOCK)
		return stage_set_clock(stage, place, 0, 0, err);
	if (stage->kind != STAGE_NETWORK)
		return 0;
	snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=postgres dbname=locum",
		 network_server(stage->network), NETWORK_PORT);
	return fleet_move(stage->fleet, place, network_namespace(stage->network, place), conninfo,
			  err);
}

static int raise_fleet(struct stage *stage, struct error *err)
{
	stage->fleet = fleet_make(stage, err);
	if (stage->fleet == NULL)
		return -1;
	for (int i = 0; i < fleet_size(stage->fleet); i++)
		if (place(stage, i, err) != 0)
			return -1;
	return fleet_settle(stage->fleet, SETTLE_MS, err);
}

/* --- raising and striking ----------------------------------------------------------------------- */

int stage_raise(struct stage *stage, enum stage_kind kind, struct error *err)
{
	stage->kind = kind;
	stage->nemesis.fd = -1;
	if (history_open(&stage->nemesis, stage->folder, "nemesis.log", err) != 0)
		return -1;
	stage->pulse = pulse_start(&stage->nemesis, err);
	if (stage->pulse == NULL || stage_folder_make(stage, err) != 0 ||
	    raise_server(stage, err) != 0 || raise_front(stage, err) != 0)
		return -1;
	return raise_fleet(stage, err);
}

int stage_follow(struct stage *stage, struct error *err)
{
	const char *folder = server_folder(stage->standby);
	char name[NAME_MAX + 1];
	char data[PATH_MAX];

	snprintf(name, sizeof(name), "%s", strrchr(folder, '/') + 1);
	snprintf(data, sizeof(data), "%s", server_data(stage->standby));
	server_close(stage->standby);
	stage->standby = NULL;
	if (undo_folder(data, err) < 0)
		return -1;
	stage->standby = make_server(stage, name, stage->server, err);
	return stage->standby == NULL ? -1 : 0;
}

void stage_fail_over(struct stage *stage)
{
	struct server *former = stage->server;

	stage->server = stage->standby;
	stage->standby = former;
	stage->ordered = false;
}

int stage_strike(struct stage *stage, struct error *err)
{
	int status = 0;

	fleet_close(stage->fleet);
	relay_close(stage->relay);
	pooler_close(stage->pooler);
	server_close(stage->standby);
	server_close(stage->server);
	if (stage->plan->conninfo != NULL)
		status = undo_now(stage->undo, UNDO_SCRATCH, stage->plan->conninfo, err);
	network_close(stage->network);
	if (stage_folder_remove(stage, err) != 0)
		status = -1;
	pulse_stop(stage->pulse);
	history_close(&stage->nemesis);
	free(stage->conninfo);
	free(stage->scratch);
	stage->fleet = NULL;
	stage->relay = NULL;
	stage->pooler = NULL;
	stage->network = NULL;
	stage->pulse = NULL;
	stage->standby = stage->server = NULL;
	stage->conninfo = stage->scratch = NULL;
	return status;
}
