/* How a stage makes its servers; what may be done with them is in stage.h. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_SERVER_H
#define LOCUM_TOOLS_CHAOS_STAGE_SERVER_H

#include "base/error.h"
#include "tools/chaos/stage/stage.h"
#include "tools/chaos/undo/undo.h"

struct server_terms {
	struct undo *undo;
	const char *folder;   /* of the cluster and its socket; made unless it is there */
	const char *log;      /* a file */
	const char *settings; /* lines behind the others in postgresql.conf, or "" */
	const char *access;   /* lines behind the others in pg_hba.conf, or "" */
	const char *env[3];   /* as of undo_spawn, at most two */
	int port;
	int connections; /* max_connections */
};

/* Makes a cluster, starts it, and makes the database "locum" in it. NULL on error. */
struct server *server_make(const struct server_terms *terms, struct error *err);

/* Makes a standby that streams from that one, and starts it. */
struct server *server_follow(const struct server_terms *terms, const struct server *primary,
			     struct error *err);

/* One that is given: it cannot be stopped, and its pid is 0. */
struct server *server_given(const char *conninfo, struct error *err);

/* Ends it if it runs. NULL is allowed. Its folder stays. */
void server_close(struct server *server);

const char *server_folder(const struct server *server); /* with its socket */
int server_port(const struct server *server);

/* server_run with a text for its answer; "" when there is no row. */
int server_look(struct server *server, const char *name, const char *const *params, int param_count,
		char *text, size_t size, struct error *err);

/* The folder of its programs. */
const char *server_programs(const struct server *server);

#endif
