#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/sqlstate.h"

static const struct {
	const char *sqlstate;
	enum error_kind kind;
} TABLE[] = {
	{ NULL, ERROR_RETRY },    { "", ERROR_RETRY },      { "LC001", ERROR_LOST },
	{ "LC002", ERROR_FATAL }, { "0A000", ERROR_FATAL }, { "08006", ERROR_RETRY },
	{ "08P01", ERROR_RETRY }, { "22021", ERROR_INPUT }, { "22P02", ERROR_INPUT },
	{ "23505", ERROR_INPUT }, { "23514", ERROR_INPUT }, { "25006", ERROR_RETRY },
	{ "25P02", ERROR_RETRY }, { "25P03", ERROR_RETRY }, { "28000", ERROR_FATAL },
	{ "28P01", ERROR_FATAL }, { "3D000", ERROR_FATAL }, { "3F000", ERROR_FATAL },
	{ "40001", ERROR_RETRY }, { "40P01", ERROR_RETRY }, { "42501", ERROR_FATAL },
	{ "42601", ERROR_FATAL }, { "42P01", ERROR_FATAL }, { "53100", ERROR_RETRY },
	{ "53200", ERROR_RETRY }, { "53300", ERROR_RETRY }, { "54000", ERROR_RETRY },
	{ "54001", ERROR_INPUT }, { "55P03", ERROR_RETRY }, { "57014", ERROR_RETRY },
	{ "57P01", ERROR_RETRY }, { "57P02", ERROR_RETRY }, { "57P03", ERROR_RETRY },
	{ "58030", ERROR_RETRY }, { "P0001", ERROR_FATAL }, { "XX000", ERROR_FATAL },
};

static void each_sqlstate_means_one_thing_to_the_caller(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
		if (sqlstate_kind(TABLE[i].sqlstate) != TABLE[i].kind)
			fail_msg("%s is of kind %d", TABLE[i].sqlstate,
				 sqlstate_kind(TABLE[i].sqlstate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sqlstate_means_one_thing_to_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
