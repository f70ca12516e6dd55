#include "tools/locum/table.h"

#include <inttypes.h>
#include <jansson.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "db/rows.h"
#include "tools/locum/colour.h"
#include "tools/locum/output.h"

enum { COLUMNS_MAX = 32, CELL_MOST = 1000 /* bytes */ };

struct table {
	struct libscols_table *scols;
	const struct table_column *columns;
	size_t count;
	bool filled[COLUMNS_MAX]; /* by column: some cell has a text */
	bool coloured;
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

char *table_age(const PGresult *rows, int row, const char *name)
{
	char text[OUTPUT_TIME_SIZE];
	int column = PQfnumber(rows, name);

	if (column < 0 || rows_is_null(rows, row, column))
		return NULL;
	return strdup(output_span(view_time_us(rows, row, PQfnumber(rows, "_now")) -
					  view_time_us(rows, row, column),
				  text));
}

char *table_span(const PGresult *rows, int row, const char *name)
{
	char text[OUTPUT_TIME_SIZE];

	if (view_is_null(rows, row, name))
		return NULL;
	return strdup(output_span(view_int(rows, row, name) * 1000, text));
}

char *table_labels(const PGresult *rows, int row, const char *name)
{
	const char *text = view_text(rows, row, name);
	json_t *labels = text == NULL ? NULL : json_loads(text, 0, NULL);
	char *words = NULL;
	size_t size;
	FILE *out = labels == NULL ? NULL : open_memstream(&words, &size);
	const char *separator = "";
	const char *label;
	json_t *value;

	if (out != NULL) {
		json_object_foreach(labels, label, value)
		{
			fprintf(out, "%s%s=%s", separator, label, json_string_value(value));
			separator = " ";
		}
		fclose(out);
	}
	json_decref(labels);
	return words;
}

static int add_columns(struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct table_column *column = &table->columns[i];
		bool cut = (column->flags & TABLE_CUT) != 0;
		int flags = ((column->flags & TABLE_RIGHT) != 0 ? SCOLS_FL_RIGHT : 0) |
			    (cut ? SCOLS_FL_TRUNC : 0);

		if (scols_table_new_column(table->scols, column->title, cut ? 0.1 : 0, flags) ==
		    NULL)
			return -1;
	}
	return 0;
}

struct table *table_new(const struct cli *cli, const struct table_column *columns, size_t count)
{
	struct table *table = count > COLUMNS_MAX ? NULL : calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->columns = columns;
	table->count = count;
	table->coloured = colour_wanted(cli);
	table->scols = scols_new_table();
	if (table->scols == NULL || scols_table_enable_colors(table->scols, table->coloured) != 0 ||
	    add_columns(table) != 0) {
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

/* People look at a table; who wants a payload whole asks for JSON. Returns NULL when memory ends. */
static char *cut(char *text)
{
	static const char MARK[] = "…";
	size_t length = 0;
	char *shorter;

	if (strlen(text) <= CELL_MOST)
		return text;
	for (size_t next = 0; next <= CELL_MOST; next += text_character(text + next, 4))
		length = next; /* the server's texts are valid */
	shorter = malloc(length + sizeof(MARK));
	if (shorter != NULL) {
		memcpy(shorter, text, length);
		memcpy(shorter + length, MARK, sizeof(MARK));
	}
	free(text);
	return shorter;
}

/* libsmartcols takes care of what moves the cursor, but not of what turns the direction. */
static char *make_harmless(char *text)
{
	const char *at = text;
	char *plain = NULL;
	size_t size;
	FILE *out;

	if (text == NULL || (strstr(text, "\xe2\x80") == NULL && strstr(text, "\xe2\x81") == NULL))
		return text;
	out = open_memstream(&plain, &size);
	while (out != NULL && *at != '\0')
		at += output_character(out, at);
	if (out != NULL)
		fclose(out);
	free(text);
	return plain;
}

static int paint(const struct table *table, struct libscols_line *line, size_t column,
		 const char *text)
{
	int flags = table->columns[column].flags;
	const char *sequence = NULL;

	if ((flags & TABLE_STATE) != 0)
		sequence = colour_of_state(text);
	else if ((flags & TABLE_BAD) != 0)
		sequence = COLOUR_BAD;
	if (!table->coloured || sequence == NULL)
		return 0;
	return scols_cell_set_color(scols_line_get_cell(line, column), sequence);
}

static int add_line(struct table *table, const PGresult *rows, int row)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	if (line == NULL)
		return -1;
	for (size_t i = 0; i < table->count; i++) {
		const struct table_column *column = &table->columns[i];
		char *text = column->cell(rows, row, column->name);

		if (text == NULL)
			continue;
		text = make_harmless(cut(text));
		if (text == NULL)
			return -1;
		if (scols_line_refer_data(line, i, text) != 0) {
			free(text);
			return -1;
		}
		table->filled[i] = table->filled[i] || text[0] != '\0';
		if (paint(table, line, i, text) != 0)
			return -1;
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

bool table_is_empty(const struct table *table)
{
	return scols_table_get_nlines(table->scols) == 0;
}

static int hide_empty(struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct libscols_column *column = scols_table_get_column(table->scols, i);

		if ((table->columns[i].flags & TABLE_SELDOM) != 0 && !table->filled[i] &&
		    scols_column_set_flags(column, SCOLS_FL_HIDDEN) != 0)
			return -1;
	}
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
	scols_table_set_stream(table->scols, stdout);
	if (hide_empty(table) != 0 || scols_print_table(table->scols) != 0)
		return error_set(err, ERROR_RETRY, "the table could not be printed");
	return 0;
}

int table_put(const struct cli *cli, const struct table_column *columns, size_t count,
	      const PGresult *rows, int first, int end, struct error *err)
{
	struct table *table = table_new(cli, columns, count);
	int status = -1;

	if (table == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	else if (table_add(table, rows, first, end, err) == 0)
		status = table_print(table, err);
	table_free(table);
	return status;
}
