#include "db/hosts.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "db/failure.h"

/* With a mode that nobody knows libpq reads everything and connects to nothing. */
static PGconn *read_only(const char *conninfo)
{
	const char *keys[] = { "dbname", "sslmode", NULL };
	const char *values[] = { conninfo, "none of its modes", NULL };

	return PQconnectStartParams(keys, values, 1);
}

static int items(const char *list)
{
	int count = 1;

	while ((list = strchr(list, ',')) != NULL) {
		count++;
		list++;
	}
	return count;
}

static bool fits(const char *list, int count)
{
	return list == NULL || items(list) == count;
}

/* Several hosts whose other lists have another length are refused by libpq, in its words, and which of them is a standby
 * to be preferred shows only when all were asked. */
static int count(const struct hosts *hosts, const char *wanted)
{
	const char *main = hosts->addresses != NULL ? hosts->addresses : hosts->names;
	int named = main == NULL ? 1 : items(main);

	if (wanted != NULL && strcmp(wanted, "prefer-standby") == 0)
		return 0;
	if (!fits(hosts->names, named))
		return 0;
	return fits(hosts->ports, named) || fits(hosts->ports, 1) ? named : 0;
}

/* A copy, or NULL for an empty value. */
static char *copy(const char *value)
{
	return value == NULL || value[0] == '\0' ? NULL : strdup(value);
}

static void take(struct hosts *hosts, const PQconninfoOption *option, const char **wanted)
{
	if (strcmp(option->keyword, "host") == 0)
		hosts->names = copy(option->val);
	else if (strcmp(option->keyword, "hostaddr") == 0)
		hosts->addresses = copy(option->val);
	else if (strcmp(option->keyword, "port") == 0)
		hosts->ports = copy(option->val);
	else if (strcmp(option->keyword, "target_session_attrs") == 0)
		*wanted = option->val;
	else if (strcmp(option->keyword, "connect_timeout") == 0 && option->val != NULL)
		hosts->timeout_ms = strtol(option->val, NULL, 10) * 1000;
}

int hosts_read(struct hosts *hosts, const char *conninfo, struct error *err)
{
	PGconn *conn = read_only(conninfo);
	PQconninfoOption *options = conn == NULL ? NULL : PQconninfo(conn);
	const char *wanted = NULL;

	*hosts = (struct hosts){ .count = 0 };
	if (options == NULL) {
		PQfinish(conn);
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	for (const PQconninfoOption *at = options; at->keyword != NULL; at++)
		take(hosts, at, &wanted);
	hosts->count = count(hosts, wanted);
	PQconninfoFree(options);
	PQfinish(conn);
	return 0;
}

void hosts_fini(struct hosts *hosts)
{
	free(hosts->names);
	free(hosts->addresses);
	free(hosts->ports);
}

int hosts_nth(const struct hosts *hosts, int last, int nth)
{
	if (last < 0 || last >= hosts->count)
		return nth;
	if (nth == 0)
		return last;
	return nth <= last ? nth - 1 : nth;
}

char *hosts_item(const char *list, int place)
{
	if (list == NULL)
		return NULL;
	if (strchr(list, ',') == NULL)
		place = 0;
	for (; place > 0; place--)
		list = strchr(list, ',') + 1;
	return strndup(list, strcspn(list, ","));
}
