/* The SQL under tools/chaos/sql and the suites under tools/chaos/suites, put into the program at build time. */
#ifndef LOCUM_TOOLS_CHAOS_SQL_H
#define LOCUM_TOOLS_CHAOS_SQL_H

#include "db/embedded.h"

/* As in db/embedded.h. */
extern const struct embedded_sql EMBEDDED_CHAOS[];
extern const struct embedded_sql EMBEDDED_SUITES[];

#endif
