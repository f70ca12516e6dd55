#include "tools/chaos/catalogue.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/chaos/faults/fault.h"
#include "tools/locum/output.h"

enum { ROW_SIZE = 12 };

/* Whether this machine can do it; *why says why not. */
static bool is_possible(const struct fault *fault, struct error *why)
{
	error_clear(why);
	return fault->possible == NULL || fault->possible(why) == 0;
}

static void put_member(const char *name, const char *text)
{
	printf(",\"%s\":", name);
	if (text == NULL)
		fputs("null", stdout);
	else
		output_string(stdout, text);
}

static void print_object(const struct fault *fault)
{
	struct error why;
	bool possible = is_possible(fault, &why);

	printf("{\"row\":%d", fault->row);
	put_member("name", fault->name);
	put_member("stage", fault_stage_name(fault->stage));
	put_member("tool", fault->tool);
	put_member("what", fault->what);
	put_member("witness", fault->witness);
	put_member("heals", fault->heals);
	put_member("pass", fault->pass);
	printf(",\"shortened\":%s,\"possible\":%s", fault->shortened ? "true" : "false",
	       possible ? "true" : "false");
	put_member("why_not", possible ? NULL : why.text);
	puts("}");
}

/* A terminal has room for what is done, or for the tools. */
static bool shows_tools(void)
{
	return isatty(STDOUT_FILENO) == 0;
}

static int add_line(struct libscols_table *table, const struct fault *fault)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	struct error why;
	char row[ROW_SIZE];
	char what[ERROR_TEXT_MAX + 16];

	if (line == NULL)
		return -1;
	snprintf(row, sizeof(row), "%d", fault->row);
	if (is_possible(fault, &why))
		snprintf(what, sizeof(what), "%s", fault->what);
	else
		snprintf(what, sizeof(what), "not here: %s", why.text);
	return scols_line_set_data(line, 0, row) == 0 &&
			       scols_line_set_data(line, 1, fault->name) == 0 &&
			       scols_line_set_data(line, 2, fault_stage_name(fault->stage)) == 0 &&
			       scols_line_set_data(line, 3, what) == 0 &&
			       (!shows_tools() ||
				scols_line_set_data(line, 4,
						    fault->tool == NULL ? "" : fault->tool) == 0)
		       ? 0
		       : -1;
}

static int fill(struct libscols_table *table)
{
	const struct fault *fault = NULL;

	if (scols_table_new_column(table, "ROW", 0, SCOLS_FL_RIGHT) == NULL ||
	    scols_table_new_column(table, "FAULT", 0, 0) == NULL ||
	    scols_table_new_column(table, "STAGE", 0, 0) == NULL ||
	    scols_table_new_column(table, "WHAT IS DONE", 0.1, SCOLS_FL_TRUNC) == NULL ||
	    (shows_tools() && scols_table_new_column(table, "TOOL", 0, 0) == NULL))
		return -1;
	while ((fault = fault_next(fault)) != NULL)
		if (add_line(table, fault) != 0)
			return -1;
	return 0;
}

static int print_table(struct error *err)
{
	struct libscols_table *table = scols_new_table();
	int status = -1;

	if (table == NULL || fill(table) != 0) {
		error_set(err, ERROR_RETRY, "out of memory");
	} else {
		/* Whoever reads from a pipe wants everything. */
		if (isatty(STDOUT_FILENO) == 0)
			scols_table_set_termwidth(table, 0);
		status = scols_print_table(table);
	}
	scols_unref_table(table);
	return status;
}

int catalogue_print(const struct cli *cli, struct error *err)
{
	const struct fault *fault = NULL;

	if (!cli->json && !cli->quiet)
		return print_table(err);
	while ((fault = fault_next(fault)) != NULL) {
		if (cli->json)
			print_object(fault);
		else
			puts(fault->name);
	}
	return 0;
}
