#include "tests/support/detour_scene.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

enum { LOOK_MS = 5 };

PGconn *detour_scene_connect(struct detour_scene *scene, const char *name, bool by_port)
{
	char conninfo[1024];
	PGconn *conn;

	if (by_port)
		snprintf(conninfo, sizeof(conninfo),
			 "%s host=127.0.0.1 port=%d sslmode=prefer application_name=%s",
			 scene->d->conninfo, relay_port(scene->detour.relay), name);
	else
		snprintf(conninfo, sizeof(conninfo), "%s host=%s port=5432 application_name=%s",
			 scene->d->conninfo, scene->detour.folder, name);
	conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(conn));
	return conn;
}

void detour_scene_open(struct detour_scene *scene, struct database *d)
{
	*scene = (struct detour_scene){ .d = d };
	detour_scene_await(scene, DETOUR_SCENE_GONE); /* of the scene before */
	database_do(d, "drop table if exists public.mark; create table public.mark (note text)");
	detour_open(&scene->detour, d->sql);
	scene->conn = detour_scene_connect(scene, "victim/one", false);
}

void detour_scene_close(struct detour_scene *scene)
{
	PQfinish(scene->conn);
	detour_close(&scene->detour);
}

void detour_scene_harm(struct detour_scene *scene, const struct relay_rule *rule)
{
	relay_set(scene->detour.relay, rule);
}

/* What the server answers to it, "-" for an error of the server's, "lost" when the connection is. */
const char *detour_scene_ask(PGconn *conn, const char *query)
{
	static char text[128];
	PGresult *result = PQexec(conn, query);
	const char *said = "-";

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		said = PQgetvalue(result, 0, 0);
	else if (PQresultStatus(result) == PGRES_COMMAND_OK)
		said = PQcmdStatus(result);
	else if (PQstatus(conn) == CONNECTION_BAD)
		said = "lost";
	snprintf(text, sizeof(text), "%s", said);
	PQclear(result);
	return text;
}

void detour_scene_await(struct detour_scene *scene, const char *query)
{
	int64_t deadline_ms = clock_monotonic_ms() + DETOUR_SCENE_PATIENCE_MS;

	while (strcmp(database_text(scene->d, "%s", query), "t") != 0) {
		if (clock_monotonic_ms() >= deadline_ms)
			fail_msg("not within %d ms: %s", (int)DETOUR_SCENE_PATIENCE_MS, query);
		poll(NULL, 0, LOOK_MS);
	}
}

int detour_scene_marks(struct detour_scene *scene)
{
	return (int)database_int(scene->d, "select count(*) from public.mark");
}

/* Whether anything comes within that time. */
bool detour_scene_hears(PGconn *conn, int wait_ms)
{
	struct pollfd pollfd = { .fd = PQsocket(conn), .events = POLLIN };

	return poll(&pollfd, 1, wait_ms) == 1;
}
