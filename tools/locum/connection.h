/* Which database: -d, LOCUM_DATABASE_URL, DATABASE_URL, the PG* variables, or the private cluster. */
#ifndef LOCUM_TOOLS_LOCUM_CONNECTION_H
#define LOCUM_TOOLS_LOCUM_CONNECTION_H

#include <stdbool.h>

#include "base/error.h"

struct connection {
	char *conninfo;     /* for libpq; "" takes the PG* variables */
	bool given;         /* by -d */
	bool is_private;    /* of the private cluster */
	const char *origin; /* the variable that it is from, or NULL */
};

/* Finds it. `flag` is the argument of -d or NULL. ERROR_RETRY when there is none at all. */
int connection_find(const char *flag, struct connection *connection, struct error *err);
void connection_fini(struct connection *connection);

#endif
