#include "db/sqlstate.h"

#include <stddef.h>
#include <string.h>

/* The first prefix that fits decides. */
static const struct {
	const char *prefix;
	enum error_kind kind;
} RULES[] = {
	{ "LC001", ERROR_LOST },  { "0A", ERROR_FATAL }, /* feature not supported */
	{ "08", ERROR_RETRY },                           /* connection */
	{ "22", ERROR_INPUT },                           /* data */
	{ "23", ERROR_INPUT },                           /* constraints */
	{ "25006", ERROR_RETRY }, /* read-only: a standby, before its promotion */
	{ "25", ERROR_RETRY },    /* transaction state: idle in transaction timeout and the like */
	{ "28", ERROR_FATAL },    /* not allowed in */
	{ "3D", ERROR_FATAL },    /* no such database */
	{ "40", ERROR_RETRY },    /* serialization failure, deadlock */
	{ "42501", ERROR_FATAL }, /* privilege */
	{ "53", ERROR_RETRY },    /* too many connections, disk or memory full */
	{ "54001", ERROR_INPUT }, /* nested too deeply for the server */
	{ "54", ERROR_RETRY },    /* program limits, transaction id wraparound among them */
	{ "55", ERROR_RETRY },    /* lock not available, object in use */
	{ "57", ERROR_RETRY },    /* shutdown, cancel */
	{ "58", ERROR_RETRY },    /* system errors: I/O */
	{ "", ERROR_FATAL },
};

enum error_kind sqlstate_kind(const char *sqlstate)
{
	size_t i = 0;

	if (sqlstate == NULL || sqlstate[0] == '\0')
		return ERROR_RETRY; /* libpq itself: the connection broke */
	while (strncmp(sqlstate, RULES[i].prefix, strlen(RULES[i].prefix)) != 0)
		i++;
	return RULES[i].kind;
}

bool sqlstate_is_conflict(const char *sqlstate)
{
	return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
}

bool sqlstate_is_locked(const char *sqlstate)
{
	return strcmp(sqlstate, "55P03") == 0;
}
