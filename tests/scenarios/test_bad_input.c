/* Each row of tests/bad_input.tsv is a test: the code and the words are right, and nothing is stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cli.h"

enum { COLUMNS = 4, ROWS_MAX = 500, BYTES_MAX = 2 * 1024 * 1024 };

struct row {
	char *columns[COLUMNS];
	char name[160];
};

/* The struct database of the program, which each test has to find beside its row. */
static struct database *database;

/* Text with the escapes of the table resolved. */
struct bytes {
	char *data;
	size_t length;
};

static void put(struct bytes *out, char byte, size_t times)
{
	assert_true(out->length + times < BYTES_MAX);
	memset(out->data + out->length, byte, times);
	out->length += times;
	out->data[out->length] = '\0';
}

static char hex_value(const char *digits)
{
	const char two[3] = { digits[0], digits[1], '\0' };

	return (char)strtol(two, NULL, 16);
}

/* Reads one escape at text, behind its backslash; returns the bytes it takes. */
static size_t put_escape(struct bytes *out, const char *text)
{
	static const char NAMES[] = "nts\\";
	static const char VALUES[] = "\n\t \\";
	const char *name = strchr(NAMES, text[0]);

	if (text[0] == 'x') {
		put(out, hex_value(text + 1), 1);
		return 3;
	}
	assert_non_null(name);
	put(out, VALUES[name - NAMES], 1);
	return 1;
}

/* "{c*N}" at text: returns the bytes it takes, 0 when it is none. */
static size_t put_repeat(struct bytes *out, const char *text)
{
	size_t times;
	int taken = 0;
	char byte;

	if (sscanf(text, "{%c*%zu}%n", &byte, &times, &taken) != 2 || taken == 0)
		return 0;
	put(out, byte, times);
	return (size_t)taken;
}

static struct bytes resolve(const char *text)
{
	struct bytes out = { malloc(BYTES_MAX), 0 };

	assert_non_null(out.data);
	out.data[0] = '\0';
	while (*text != '\0') {
		size_t repeated = put_repeat(&out, text);

		if (repeated > 0) {
			text += repeated;
		} else if (*text == '\\') {
			text += 1 + put_escape(&out, text + 1);
		} else {
			put(&out, *text++, 1);
		}
	}
	return out;
}

static void add_arguments(struct command *command, char *words, struct bytes *kept)
{
	size_t count = 0;
	char *rest = NULL;

	for (char *word = strtok_r(words, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		kept[count] = resolve(word);
		command_add(command, kept[count++].data, NULL);
	}
}

/* Arguments are those of locum, unless they begin with the name of the other program. */
static char *choose_program(struct command *command, char *words)
{
	static const char DAEMON[] = "locumd ";

	if (strncmp(words, DAEMON, strlen(DAEMON)) != 0) {
		cli_init(command, database);
		return words;
	}
	command_init(command, cli_program("locumd"));
	return words + strlen(DAEMON);
}

static void row_is_refused(void **state)
{
	struct row *row = *state;
	struct bytes kept[COMMAND_ARGS_MAX] = { { NULL, 0 } };
	struct bytes input = resolve(row->columns[1]);
	struct command command;

	add_arguments(&command, choose_program(&command, row->columns[0]), kept);
	command_run(&command, input.data, input.length);
	cli_assert(&command, (int)strtol(row->columns[2], NULL, 10), row->columns[3]);
	assert_string_equal(command.printed, "");
	command_fini(&command);
	for (size_t i = 0; i < COMMAND_ARGS_MAX; i++)
		free(kept[i].data);
	free(input.data);
	assert_int_equal(database_int(database, "select count(*) from locum.jobs"), 0);
}

static int open_database(void **state)
{
	void *opened = NULL;
	int status = database_open(&opened);

	(void)state;
	database = opened;
	return status;
}

static int close_database(void **state)
{
	void *opened = database;

	(void)state;
	return database_close(&opened);
}

/* Splits a line in place; returns whether it is a row. */
static bool read_row(char *line, struct row *row)
{
	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '#')
		return false;
	for (int i = 0; i < COLUMNS; i++) {
		row->columns[i] = line;
		line += strcspn(line, "\t");
		if (*line == '\t')
			*line++ = '\0';
	}
	snprintf(row->name, sizeof(row->name), "locum_%s_%s", row->columns[0], row->columns[1]);
	for (char *c = row->name; *c != '\0'; c++)
		if (strchr("<>&\"'\\", *c) != NULL || (unsigned char)*c < 0x20)
			*c = '_';
	return true;
}

static size_t read_rows(struct row *rows)
{
	FILE *file = fopen("tests/bad_input.tsv", "r");
	char *line = NULL;
	size_t size = 0;
	size_t count = 0;

	if (file == NULL)
		return 0;
	while (count < ROWS_MAX && getline(&line, &size, file) > 0) {
		if (read_row(line, &rows[count])) {
			count++;
			line = NULL; /* the row's now */
			size = 0;
		}
	}
	free(line);
	fclose(file);
	return count;
}

int main(void)
{
	static struct row rows[ROWS_MAX];
	static struct CMUnitTest tests[ROWS_MAX];
	size_t count = read_rows(rows);

	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = row_is_refused,
						.initial_state = &rows[i] };
	if (count == 0)
		return 1;
	return _cmocka_run_group_tests("bad_input", tests, count, open_database, close_database);
}
