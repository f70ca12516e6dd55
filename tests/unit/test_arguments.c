#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dispatcher/arguments.h"

static const struct {
	const char *given;
	const char *left;
} ROWS[] = {
	{ "locumd", "locumd" },
	{ "-d", "-d" },
	{ "dbname=app password=long", "dbname=app password=****" },
	{ "password=x dbname=app", "password=**** dbname=" },
	{ "-dpassword=secret dbname=app", "-dpassword=**** dbname=app" },
	{ "--database=password=secret", "--database=password=****" },
	{ "--data=postgresql://u:secret@h/db", "--data=postgresql://u:****@h/db" },
	{ "--poll-interval=1s", "--poll-interval=1s" },
};
enum { COUNT = sizeof(ROWS) / sizeof(ROWS[0]) };

static void passwords_are_taken_out_of_the_arguments_and_kept_in_the_copy(void **state)
{
	char *argv[COUNT + 1] = { NULL };
	char **copy;

	(void)state;
	for (int i = 0; i < COUNT; i++)
		argv[i] = strdup(ROWS[i].given);
	copy = arguments_take(COUNT, argv);
	assert_non_null(copy);
	for (int i = 0; i < COUNT; i++) {
		assert_string_equal(copy[i], ROWS[i].given);
		assert_string_equal(argv[i], ROWS[i].left);
		free(argv[i]);
	}
	arguments_free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords_are_taken_out_of_the_arguments_and_kept_in_the_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
