/* What is asked of a dispatcher that ended, and what is not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sysexits.h>

#include "tools/chaos/stage/fleet_ends.h"

/* As waitpid says it. */
static int status_of(int code)
{
	return code << 8;
}

static void an_exit_before_it_was_ready_is_nobodys_fault(void **state)
{
	(void)state;
	assert_int_equal(fleet_ends_why(0, false, false, status_of(EX_CONFIG)), -1);
	assert_int_equal(fleet_ends_why(SIGTERM, false, false, status_of(EX_UNAVAILABLE)), -1);
}

static void an_exit_of_one_that_was_ready_is_as_it_was_asked(void **state)
{
	(void)state;
	assert_int_equal(fleet_ends_why(0, false, true, status_of(EX_CONFIG)), 0);
	assert_int_equal(fleet_ends_why(SIGTERM, false, true, status_of(EX_UNAVAILABLE)), SIGTERM);
}

static void a_crash_before_it_was_ready_is_told(void **state)
{
	(void)state;
	assert_int_equal(fleet_ends_why(0, false, false, SIGSEGV), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exit_before_it_was_ready_is_nobodys_fault),
		cmocka_unit_test(an_exit_of_one_that_was_ready_is_as_it_was_asked),
		cmocka_unit_test(a_crash_before_it_was_ready_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
