#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/priority.h"

/* The nice value of a process that somebody started with `own` and that has raised itself, and of its child. */
static void find_nice(int own, int *raised, int *childs)
{
	int ends[2];
	int found[2];

	assert_int_equal(pipe(ends), 0);
	if (fork() == 0) {
		setpriority(PRIO_PROCESS, 0, own);
		priority_raise();
		found[0] = getpriority(PRIO_PROCESS, 0);
		if (fork() == 0) {
			found[1] = getpriority(PRIO_PROCESS, 0);
			_exit(write(ends[1], found, sizeof(found)) != sizeof(found));
		}
		wait(NULL);
		_exit(0);
	}
	assert_int_equal(read(ends[0], found, sizeof(found)), sizeof(found));
	wait(NULL);
	close(ends[0]);
	close(ends[1]);
	*raised = found[0];
	*childs = found[1];
}

static bool may_raise(void)
{
	int status = -1;

	if (fork() == 0)
		_exit(setpriority(PRIO_PROCESS, 0, PRIORITY_NICE) != 0);
	wait(&status);
	return status == 0;
}

static void who_must_not_be_late_goes_first_and_its_children_do_not(void **state)
{
	int raised;
	int child;

	(void)state;
	if (getpriority(PRIO_PROCESS, 0) != 0 || !may_raise())
		skip();
	find_nice(0, &raised, &child);
	assert_int_equal(raised, PRIORITY_NICE);
	assert_int_equal(child, 0);
}

static void a_priority_that_somebody_chose_is_kept(void **state)
{
	int raised;
	int child;

	(void)state;
	if (getpriority(PRIO_PROCESS, 0) > 5)
		skip();
	find_nice(5, &raised, &child);
	assert_int_equal(raised, 5);
	assert_int_equal(child, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_must_not_be_late_goes_first_and_its_children_do_not),
		cmocka_unit_test(a_priority_that_somebody_chose_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
