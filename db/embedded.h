/*
 * The SQL under db/, put into the binary at build time, with every LIMIT_… word replaced by its
 * number from base/limits.h. Constant: any thread may read it.
 */
#ifndef LOCUM_DB_EMBEDDED_H
#define LOCUM_DB_EMBEDDED_H

struct embedded_sql {
	const char *name; /* the file's name without ".sql" */
	const char *text; /* ends with a NUL */
};

/* Of db/migrations, db/functions (before them "states", made from db/states.def) and db/sql; each
 * is sorted by name and ends with { NULL, NULL }. */
extern const struct embedded_sql EMBEDDED_MIGRATIONS[];
extern const struct embedded_sql EMBEDDED_FUNCTIONS[];
extern const struct embedded_sql EMBEDDED_STATEMENTS[];

#endif
