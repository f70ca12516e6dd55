#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dispatcher/reserve.h"

enum { FILES = 64 };

static int take_one(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void a_process_without_descriptors_can_make_a_connection_all_the_same(void **state)
{
	const struct rlimit few = { FILES, FILES };
	struct reserve reserve = { { 0 } };
	int fds[FILES];
	int count = 0;

	(void)state;
	reserve_fill(&reserve);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (count < FILES && (fds[count] = take_one()) >= 0)
		count++;
	assert_true(count < FILES);
	assert_int_equal(errno, EMFILE);
	reserve_release(&reserve);
	for (int i = 0; i < RESERVE_FDS; i++) {
		fds[count] = take_one();
		assert_true(fds[count++] >= 0);
	}
	assert_int_equal(take_one(), -1);
	/* There is no room for it now, and there is again when something is closed. */
	reserve_fill(&reserve);
	assert_true(reserve.fds[0] < 0);
	close(fds[--count]);
	reserve_fill(&reserve);
	assert_true(reserve.fds[0] > 0 && reserve.fds[1] < 0);
	assert_int_equal(take_one(), -1);
	reserve_release(&reserve);
	while (count > 0)
		close(fds[--count]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_without_descriptors_can_make_a_connection_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
