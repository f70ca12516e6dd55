/* A client behind a fault proxy, and a table `public.mark` that shows which of its requests were done. */
#ifndef LOCUM_TESTS_SUPPORT_DETOUR_SCENE_H
#define LOCUM_TESTS_SUPPORT_DETOUR_SCENE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "tests/support/database.h"
#include "tests/support/detour.h"

enum { DETOUR_SCENE_PATIENCE_MS = 120000, DETOUR_SCENE_BRIEF_MS = 150 };

struct detour_scene {
	struct database *d;
	struct detour detour;
	PGconn *conn; /* through the proxy, as "victim/one" */
};

void detour_scene_open(struct detour_scene *scene, struct database *d);
void detour_scene_close(struct detour_scene *scene);

/* Another client of that name; the caller closes it. */
PGconn *detour_scene_connect(struct detour_scene *scene, const char *name, bool by_port);

/* Gives the proxy another rule. */
void detour_scene_harm(struct detour_scene *scene, const struct relay_rule *rule);

/* What the server answers: a value or a tag; "-" for an error, "lost" when the connection is. Valid until the next. */
const char *detour_scene_ask(PGconn *conn, const char *query);

/* Waits until the server's own view is so: the query gives true. */
void detour_scene_await(struct detour_scene *scene, const char *query);

/* A request that leaves a mark, and how many there are. */
#define DETOUR_SCENE_MARK "insert into public.mark values ('here')"
int detour_scene_marks(struct detour_scene *scene);

/* The server has no connection of a victim's. */
#define DETOUR_SCENE_GONE                                                                          \
	"select count(*) = 0 from pg_stat_activity where application_name like 'victim%'"

/* Whether anything comes from the server within that time. */
bool detour_scene_hears(PGconn *conn, int wait_ms);

#endif
