#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/conninfo.h"

static void assert_resolved(const char *conninfo, const char *part)
{
	struct error err = { .kind = ERROR_NONE };
	char *resolved = conninfo_resolve(conninfo, &err);

	if (resolved == NULL)
		fail_msg("%s", err.text);
	else if (strstr(resolved, part) == NULL)
		fail_msg("%s is not in %s", part, resolved);
	free(resolved);
}

static void what_is_left_open_comes_from_the_environment(void **state)
{
	(void)state;
	setenv("PGHOST", "/run/app", 1);
	setenv("PGPASSWORD", "a'b\\c", 1);
	assert_resolved("dbname=app", "host='/run/app'");
	assert_resolved("dbname=app", "dbname='app'");
	assert_resolved("dbname=app", "password='a\\'b\\\\c'");
	assert_resolved("app", "dbname='app'");
	assert_resolved("", "host='/run/app'");
}

static void what_is_given_goes_before_the_environment(void **state)
{
	(void)state;
	setenv("PGHOST", "/run/app", 1);
	assert_resolved("host=/tmp dbname=app", "host='/tmp'");
	assert_resolved("postgresql://me@h:99/app", "port='99'");
	assert_resolved("postgresql://me@h:99/app", "user='me'");
}

static void which_sort_of_server_is_wanted_stays_open(void **state)
{
	char *resolved = conninfo_resolve("host=a,b", NULL);

	(void)state;
	assert_null(strstr(resolved, "target_session_attrs"));
	free(resolved);
	assert_resolved("target_session_attrs=any", "target_session_attrs='any'");
}

static void a_resolved_string_resolves_to_itself(void **state)
{
	struct error err;
	char *once = conninfo_resolve("dbname='a b' options='-c x=\\'1\\''", &err);
	char *twice;

	(void)state;
	assert_non_null(once);
	twice = conninfo_resolve(once, &err);
	assert_string_equal(once, twice);
	free(once);
	free(twice);
}

static void a_malformed_string_is_refused(void **state)
{
	struct error err;

	(void)state;
	assert_null(conninfo_resolve("no_such_key=1", &err));
	assert_int_equal(err.kind, ERROR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_open_comes_from_the_environment),
		cmocka_unit_test(what_is_given_goes_before_the_environment),
		cmocka_unit_test(which_sort_of_server_is_wanted_stays_open),
		cmocka_unit_test(a_resolved_string_resolves_to_itself),
		cmocka_unit_test(a_malformed_string_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
