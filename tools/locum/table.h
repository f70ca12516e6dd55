/* Tables for people, fitted to the terminal. */
#ifndef LOCUM_TOOLS_LOCUM_TABLE_H
#define LOCUM_TOOLS_LOCUM_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "db/view.h"

/* Returns the text of a cell, the table's to free, or NULL for an empty one. */
typedef char *table_cell(const PGresult *rows, int row, const char *column);

table_cell table_plain; /* the value as it is */
table_cell table_when;  /* a time as "12s ago", counted from the answer's column `_now` */

struct table_column {
	const char *title;
	const char *name; /* of the column of the answer */
	table_cell *cell;
	bool right; /* a number */
	bool cut;   /* may be cut to fit */
};

struct table; /* lines to be printed together */

/* Returns NULL when memory ends. Columns are borrowed. */
struct table *table_new(const struct table_column *columns, size_t count);
void table_free(struct table *table);

/* Adds the rows from first on, up to but not including end. */
int table_add(struct table *table, const PGresult *rows, int first, int end, struct error *err);

/* Prints to stdout, without a heading when there is no line. */
int table_print(struct table *table, struct error *err);

#endif
