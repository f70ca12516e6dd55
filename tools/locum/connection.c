#include "tools/locum/connection.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tools/locum/place.h"

static const char *const URLS[] = { "LOCUM_DATABASE_URL", "DATABASE_URL" };
static const char *const LIBPQ[] = { "PGHOST",    "PGHOSTADDR", "PGDATABASE",
				     "PGSERVICE", "PGPORT",     "PGUSER" };

/* An empty variable counts as absent. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value == NULL || value[0] == '\0' ? NULL : value;
}

static bool libpq_is_told(void)
{
	for (size_t i = 0; i < sizeof(LIBPQ) / sizeof(LIBPQ[0]); i++)
		if (variable(LIBPQ[i]) != NULL)
			return true;
	return false;
}

/* Fills *connection from the flag and the environment; conninfo stays NULL when they say nothing. */
static void look_around(const char *flag, struct connection *connection, const char **found)
{
	*found = flag;
	connection->given = flag != NULL;
	for (size_t i = 0; *found == NULL && i < sizeof(URLS) / sizeof(URLS[0]); i++) {
		*found = variable(URLS[i]);
		if (*found != NULL)
			connection->origin = URLS[i];
	}
	if (*found == NULL && libpq_is_told())
		*found = "";
}

/* Sets *conninfo, or leaves it NULL when there is no private cluster. */
static int private_cluster(char **conninfo, struct error *err)
{
	struct place place;
	int status = 0;

	if (place_find(&place, NULL) != 0)
		return 0;
	if (place_has_cluster(&place)) {
		*conninfo = place_conninfo(&place, PLACE_DATABASE);
		if (*conninfo == NULL)
			status = error_set(err, ERROR_RETRY, "out of memory");
	}
	place_fini(&place);
	return status;
}

int connection_find(const char *flag, struct connection *connection, struct error *err)
{
	struct connection found = { NULL, false, false, NULL };
	const char *said;

	look_around(flag, &found, &said);
	if (said == NULL && private_cluster(&found.conninfo, err) != 0)
		return -1;
	if (said != NULL) {
		found.conninfo = strdup(said);
		if (found.conninfo == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
	}
	if (found.conninfo == NULL)
		return error_set(err, ERROR_RETRY,
				 "no database: run \"locum up\" to make one of your own, or give "
				 "-d CONNINFO or set LOCUM_DATABASE_URL");
	found.is_private = said == NULL;
	*connection = found;
	return 0;
}

void connection_fini(struct connection *connection)
{
	free(connection->conninfo);
	connection->conninfo = NULL;
}
