/*
 * What an act plays on: a server, what stands between it and the fleet, the dispatchers, and the load. Made by
 * stage_raise for the kind that the act needs; everything in it is in the ledger of what has to be undone.
 */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_STAGE_H
#define LOCUM_TOOLS_CHAOS_STAGE_STAGE_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/uuid.h"
#include "tools/chaos/history/history.h"
#include "tools/chaos/plan/plan.h"
#include "tools/chaos/undo/undo.h"

struct fleet;
struct load;
struct network;
struct pooler;
struct relay;
struct server;

struct stage {
	enum stage_kind kind;
	const struct plan *plan;
	const struct plan_act *act;
	struct undo *undo;
	const char *programs; /* the folder of locumd, locum-agent, locum-host */
	char *folder;         /* of the act: the histories */
	char *scratch;        /* sockets, configurations, states, clusters; goes away */
	char *conninfo;       /* stage_conninfo */
	bool ordered;         /* the recorder has a logical slot */
	struct history nemesis;
	struct server *server;
	struct server *standby;  /* STAGE_REPLICA, else NULL */
	struct relay *relay;     /* STAGE_RELAY, else NULL */
	struct pooler *pooler;   /* STAGE_POOLER, else NULL */
	struct network *network; /* STAGE_NETWORK, else NULL */
	struct fleet *fleet;
	struct load *load;
	struct pulse *pulse; /* writes into nemesis */
	atomic_bool *stop;   /* the run is cut off */
};

/* The caller sets plan, act, undo, programs, folder (which is there) and stop, and all else to zero. Opens
 * FOLDER/nemesis.log, makes server and recorder, and starts the fleet; the load is the caller's. What was made before a
 * failure is for stage_strike. */
int stage_raise(struct stage *stage, enum stage_kind kind, struct error *err);

/* Ends everything of it, and leaves FOLDER with the histories and logs. What a fault left is healed before. */
int stage_strike(struct stage *stage, struct error *err);

/* Where dispatchers and load connect on this stage: through whatever stands before the server. On STAGE_NETWORK this
 * is where the load does, for dispatchers are elsewhere. */
const char *stage_conninfo(const struct stage *stage);

/* STAGE_CLOCK: sets the clock of a dispatcher (by its place) or, with -1, of the server: ahead by so many seconds, and
 * fast by so many thousandths since its process began. */
int stage_set_clock(struct stage *stage, int place, int seconds, int fast, struct error *err);

/* STAGE_REPLICA: once the standby is the primary, makes it stage->server and the other one stage->standby. The slot of
 * the recorder stays behind. */
void stage_fail_over(struct stage *stage);

/* STAGE_REPLICA: makes stage->standby anew, as a copy of stage->server that follows it. */
int stage_follow(struct stage *stage, struct error *err);

/* The path of a file that comes with the harness ("witness", "witness.so", "skew.so"), where everybody can read it;
 * returns path. */
const char *stage_support(const struct stage *stage, const char *name, char *path, size_t size);

/* --- server.c ----------------------------------------------------------------------------------- */

/* Where a client connects, as a conninfo: straight to the server. */
const char *server_conninfo(const struct server *server);
pid_t server_pid(const struct server *server); /* the postmaster */
const char *server_data(const struct server *server);

/* A connection of the harness's own, straight, never through what a fault harms; a lost one is made again by the next
 * call. Statement timeouts are the caller's to set. One thread (the nemesis). */
PGconn *server_connection(struct server *server, struct error *err);

/* Runs the statement tools/chaos/sql/NAME.sql on it with these texts as its parameters (NULL: a null); *value, unless it
 * is NULL, gets the first column of the first row, or 0. */
int server_run(struct server *server, const char *name, const char *const *params, int param_count,
	       int64_t *value, struct error *err);

/* The same as a script of several statements, without parameters. */
int server_script(struct server *server, const char *name, struct error *err);

/* SIGQUIT (immediate), SIGINT (fast) or SIGKILL, and waits for the end; starts it and waits until it answers. */
int server_stop(struct server *server, int signal, struct error *err);
int server_start(struct server *server, struct error *err);

/* Waits until it answers again. */
int server_await(struct server *server, int64_t timeout_ms, struct error *err);

/* --- pooler.c ----------------------------------------------------------------------------------- */

pid_t pooler_pid(const struct pooler *pooler);

/* Sends it that signal and waits for its end; starts it again and waits until it answers. */
int pooler_stop(struct pooler *pooler, int signal, struct error *err);
int pooler_start(struct pooler *pooler, struct error *err);

/* --- fleet.c ------------------------------------------------------------------------------------ */

int fleet_size(const struct fleet *fleet);

/* Dispatchers by their place, from 0. The pid of a process that does not run is 0. */
pid_t fleet_pid(const struct fleet *fleet, int place);
pid_t fleet_agent(const struct fleet *fleet, int place); /* its agent now, from /proc */

/* STAGE_NETWORK: its namespace. -1: it has none. */
int fleet_namespace(const struct fleet *fleet, int place, char *name, size_t size);

/* Its present incarnation as the database has it. */
int fleet_incarnation(struct fleet *fleet, int place, struct uuid *incarnation, struct error *err);

/* A signal to the dispatcher alone; to it and every descendant (children first for STOP, last for CONT). */
int fleet_signal(struct fleet *fleet, int place, int number, struct error *err);
int fleet_signal_all(struct fleet *fleet, int place, int number, struct error *err);

/* It (-1: each) may end without being asked, for what a fault does to it, until the fleet has settled again. */
void fleet_expect_end(struct fleet *fleet, int place);

/* Waits for its end, then starts it again with the same state; start of one that ended. */
int fleet_await_end(struct fleet *fleet, int place, int64_t timeout_ms, int *status,
		    struct error *err);
int fleet_start(struct fleet *fleet, int place, struct error *err);

/* Starts every dispatcher that does not run, and waits until all are registered, alive, and take jobs. */
int fleet_settle(struct fleet *fleet, int64_t timeout_ms, struct error *err);

/* How many lines of its log hold the text. */
int fleet_logged(const struct fleet *fleet, int place, const char *text);

/* The folder with its configuration and state. */
const char *fleet_folder(const struct fleet *fleet, int place);

/* How a dispatcher (-1: each) is run when it starts the next times: words before the program (strace, faketime …),
 * settings behind the others in its configuration, variables in its environment. NULL: nothing. A word that goes on must
 * leave the dispatcher the process that was started (strace -D). */
int fleet_arrange(struct fleet *fleet, int place, const char *const *before, const char *settings,
		  const char *const *env, struct error *err);

/* --- load.c ------------------------------------------------------------------------------------- */

/* Jobs acknowledged, and jobs that ended, so far; by the load's own count and the database's. */
int64_t load_acknowledged(const struct load *load);
int64_t load_ended(const struct load *load);

/* Submits one job of a handler of the harness at once, apart from the steady load, with this payload; its id. */
int load_submit(struct load *load, const char *handler, const char *payload, int64_t *job,
		struct error *err);

#endif
