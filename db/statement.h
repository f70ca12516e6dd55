/* The table of statements, EMBEDDED_STATEMENTS. Any thread may call everything here. */
#ifndef LOCUM_DB_STATEMENT_H
#define LOCUM_DB_STATEMENT_H

#include <stddef.h>

#include "base/error.h"

/* How many there are. */
size_t statement_count(void);

/* Sets *index to the place of the statement of that name, or returns -1 with ERROR_FATAL. */
int statement_find(const char *name, size_t *index, struct error *err);

#endif
