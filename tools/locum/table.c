#include "tools/locum/table.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/rows.h"
#include "tools/locum/output.h"

struct table {
	struct libscols_table *scols;
	const struct table_column *columns;
	size_t count;
};

static char *number_text(int64_t number)
{
	char *text;

	return asprintf(&text, "%" PRId64, number) < 0 ? NULL : text;
}

char *table_plain(const PGresult *rows, int row, const char *name)
{
	int column = PQfnumber(rows, name);
	char text[OUTPUT_TIME_SIZE];
	char uuid[UUID_TEXT_SIZE];

	if (column < 0 || rows_is_null(rows, row, column))
		return NULL;
	switch (view_type(rows, column)) {
	case VIEW_NUMBER:
		return number_text(rows_int(rows, row, column));
	case VIEW_BOOLEAN:
		return strdup(rows_bool(rows, row, column) ? "yes" : "no");
	case VIEW_TIME:
		return strdup(output_time(view_time_us(rows, row, column), text));
	case VIEW_UUID:
		return strdup(uuid_text(rows_uuid(rows, row, column), uuid));
	case VIEW_JSON:
	case VIEW_TEXT:
		break;
	}
	return strdup(rows_text(rows, row, column));
}

char *table_when(const PGresult *rows, int row, const char *name)
{
	char text[OUTPUT_TIME_SIZE];
	int column = PQfnumber(rows, name);

	if (column < 0 || rows_is_null(rows, row, column))
		return NULL;
	return strdup(output_ago(view_time_us(rows, row, column),
				 view_time_us(rows, row, PQfnumber(rows, "_now")), text));
}

static int add_columns(struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct table_column *column = &table->columns[i];
		int flags = (column->right ? SCOLS_FL_RIGHT : 0) |
			    (column->cut ? SCOLS_FL_TRUNC : 0);

		if (scols_table_new_column(table->scols, column->title, column->cut ? 0.1 : 0,
					   flags) == NULL)
			return -1;
	}
	return 0;
}

struct table *table_new(const struct table_column *columns, size_t count)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->columns = columns;
	table->count = count;
	table->scols = scols_new_table();
	if (table->scols == NULL || add_columns(table) != 0) {
		table_free(table);
		return NULL;
	}
	return table;
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	scols_unref_table(table->scols);
	free(table);
}

static int add_line(struct table *table, const PGresult *rows, int row)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	if (line == NULL)
		return -1;
	for (size_t i = 0; i < table->count; i++) {
		const struct table_column *column = &table->columns[i];
		char *text = column->cell(rows, row, column->name);

		if (text != NULL && scols_line_refer_data(line, i, text) != 0) {
			free(text);
			return -1;
		}
	}
	return 0;
}

int table_add(struct table *table, const PGresult *rows, int first, int end, struct error *err)
{
	for (int row = first; row < end; row++)
		if (add_line(table, rows, row) != 0)
			return error_set(err, ERROR_RETRY, "out of memory");
	return 0;
}

int table_print(struct table *table, struct error *err)
{
	if (scols_table_get_nlines(table->scols) == 0)
		return 0;
	/* Whoever reads from a pipe wants everything. */
	if (isatty(STDOUT_FILENO) == 0)
		scols_table_set_termwidth(table->scols, 0);
	scols_table_enable_noheadings(table->scols, 0);
	return scols_print_table(table->scols) == 0
		       ? 0
		       : error_set(err, ERROR_RETRY, "the table could not be printed");
}
