#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/embedded.h"
#include "tests/support/database.h"

enum { SIGNATURE_SIZE = 4096 };

/* The leading comment up to the line with "->", as one line without its dashes. */
static void read_signature(const char *text, char signature[static SIGNATURE_SIZE])
{
	size_t length = 0;

	while (strncmp(text, "--", 2) == 0) {
		size_t line = strcspn(text, "\n");

		assert_true(length + line + 1 < SIGNATURE_SIZE);
		memcpy(signature + length, text + 2, line - 2);
		length += line - 2;
		signature[length] = '\0';
		if (strstr(signature, "->") != NULL)
			return;
		text += line + (text[line] == '\n');
	}
	fail_msg("no signature: %.60s", text);
}

/* Cuts the next word of a list separated by commas off *rest, without white space around it. */
static char *next_item(char **rest)
{
	char *item = *rest;
	size_t length;

	while (isspace((unsigned char)*item))
		item++;
	if (*item == '\0')
		return NULL;
	length = strcspn(item, ",");
	*rest = item + length + (item[length] == ',');
	item[length] = '\0';
	while (length > 0 && isspace((unsigned char)item[length - 1]))
		item[--length] = '\0';
	return item;
}

static unsigned type_oid(struct database *d, const char *type)
{
	return (unsigned)database_int(d, "select coalesce(to_regtype('%s')::oid::int8, 0)", type);
}

static void check_params(struct database *d, const char *name, char *params,
			 const PGresult *described)
{
	int count = 0;

	for (char *param; (param = next_item(&params)) != NULL; count++) {
		char *type = strchr(param, ' ');

		if (type == NULL || count >= PQnparams(described))
			fail_msg("%s: the parameter \"%s\" is not in the text", name, param);
		if (PQparamtype(described, count) != type_oid(d, type + 1))
			fail_msg("%s: the parameter \"%s\" has type oid %u", name, param,
				 PQparamtype(described, count));
	}
	if (count != PQnparams(described))
		fail_msg("%s: %d parameters, %d described", name, PQnparams(described), count);
}

static void check_columns(const char *name, char *columns, const PGresult *described)
{
	int count = 0;

	for (char *column; (column = next_item(&columns)) != NULL; count++) {
		if (strcmp(column, "nothing") == 0)
			return; /* what a function without a result leaves is nobody's */
		if (count >= PQnfields(described) || strcmp(PQfname(described, count), column) != 0)
			fail_msg("%s: column %d is \"%s\", not \"%s\"", name, count + 1,
				 PQfname(described, count), column);
	}
	if (count != PQnfields(described))
		fail_msg("%s: %d columns, %d described", name, PQnfields(described), count);
}

static void check_statement(struct database *d, const struct embedded_sql *statement)
{
	char signature[SIGNATURE_SIZE];
	char *open;
	char *arrow;
	PGresult *result = PQprepare(d->sql, statement->name, statement->text, 0, NULL);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", statement->name, PQresultErrorMessage(result));
	PQclear(result);
	result = PQdescribePrepared(d->sql, statement->name);
	assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
	read_signature(statement->text, signature);
	open = strchr(signature, '(');
	arrow = strstr(signature, "->");
	assert_non_null(open);
	*open = '\0';
	assert_string_equal(signature + strspn(signature, " "), statement->name);
	while (*arrow != ')')
		*arrow-- = ' ';
	*arrow = '\0';
	check_params(d, statement->name, open + 1, result);
	check_columns(statement->name, arrow + 1 + strspn(arrow + 1, " >"), result);
	PQclear(result);
}

static void every_statement_prepares_and_has_the_types_and_columns_it_promises(void **state)
{
	size_t count = 0;

	for (; EMBEDDED_STATEMENTS[count].name != NULL; count++)
		check_statement(*state, &EMBEDDED_STATEMENTS[count]);
	assert_true(count > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(every_statement_prepares_and_has_the_types_and_columns_it_promises),
	};

	return cmocka_run_group_tests_name("statements", tests, database_open, database_close);
}
