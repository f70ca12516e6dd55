/* Where the private cluster of `locum up` lives. */
#ifndef LOCUM_TOOLS_LOCUM_PLACE_H
#define LOCUM_TOOLS_LOCUM_PLACE_H

#include <stdbool.h>

#include "base/error.h"

#define PLACE_DATABASE "locum"
#define PLACE_MAINTENANCE "postgres" /* the database that initdb makes */
#define PLACE_SUPERUSER "postgres"

struct place {
	bool root;    /* the programs of PostgreSQL run as the user postgres */
	char *top;    /* $XDG_STATE_HOME/locum, or /var/lib/locum for root */
	char *data;   /* the cluster's folder */
	char *socket; /* the folder of its socket */
	char *server_log;
	char *setup_log; /* what initdb and pg_ctl said */
	char *config;    /* the starter configuration of the dispatcher */
	char *state;     /* the dispatcher's state_dir */
	char *pid;       /* a file with the dispatcher's pid */
	char *lock;      /* held while `up` or `down` changes things here */
};

/* Works out the paths; makes nothing. ERROR_FATAL when there is no home folder or the socket's path
 * would be too long. */
int place_find(struct place *place, struct error *err);
void place_fini(struct place *place);

/* Makes the folders, but not the cluster's. */
int place_make(const struct place *place, struct error *err);

/* Lets one `up` or `down` at a time change things. Returns a descriptor, and waits a while for it. */
int place_lock(const struct place *place, struct error *err);

/* Whether the cluster was made. */
bool place_has_cluster(const struct place *place);

/* How to connect to a database of the cluster; the caller's to free. NULL when memory ends. */
char *place_conninfo(const struct place *place, const char *database);

#endif
