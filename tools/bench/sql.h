/* The SQL under tools/bench/sql, put into the program at build time. */
#ifndef LOCUM_TOOLS_BENCH_SQL_H
#define LOCUM_TOOLS_BENCH_SQL_H

#include "db/embedded.h"

/* As in db/embedded.h. */
extern const struct embedded_sql EMBEDDED_BENCH[];

/* The text of tools/bench/sql/NAME.sql, static; empty when there is none. Any thread. */
const char *sql_text(const char *name);

#endif
