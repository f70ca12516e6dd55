/* Tables for people, fitted to the terminal. */
#ifndef LOCUM_TOOLS_LOCUM_TABLE_H
#define LOCUM_TOOLS_LOCUM_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "db/view.h"
#include "tools/locum/cli.h"

/* Returns the text of a cell, the table's to free, or NULL for an empty one. */
typedef char *table_cell(const PGresult *rows, int row, const char *column);

table_cell table_plain;  /* the value as it is */
table_cell table_when;   /* a time as "12s ago", counted from the answer's column `_now` */
table_cell table_age;    /* a time as "12s": how long ago that was */
table_cell table_span;   /* milliseconds as "12s" */
table_cell table_labels; /* an object of labels as "a=b c=d" */

enum table_flag {
	TABLE_RIGHT = 1,    /* a number */
	TABLE_CUT = 2,      /* may be cut to fit */
	TABLE_STATE = 4,    /* in the colour of the state that it holds */
	TABLE_BAD = 8,      /* in the colour of what is wrong */
	TABLE_SELDOM = 16,  /* left out when every cell is empty */
	TABLE_UNLISTED = 32 /* shown only when it is asked for */
};

struct table_column {
	const char *title;
	const char *name; /* of the column of the answer */
	table_cell *cell;
	int flags;
};

#define TABLE_COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

struct table; /* lines to be printed together */

/* Returns NULL when memory ends. Columns are borrowed. */
struct table *table_new(const struct cli *cli, const struct table_column *columns, size_t count);
void table_free(struct table *table);

/* Adds the rows from first on, up to but not including end. */
int table_add(struct table *table, const PGresult *rows, int first, int end, struct error *err);

bool table_is_empty(const struct table *table);

/* Prints to stdout, without a heading when there is no line. */
int table_print(struct table *table, struct error *err);

/* All of it. */
int table_put(const struct cli *cli, const struct table_column *columns, size_t count,
	      const PGresult *rows, int first, int end, struct error *err);

#endif
