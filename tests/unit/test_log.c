#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

enum { LINES = 10000, READ_SIZE = 1 << 20 };

/* Standard error is a pipe from here on; the other end does not block. */
static int catch_log(int *saved)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	*saved = dup(STDERR_FILENO);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	log_set_program("test");
	return ends[0];
}

static size_t read_all(int fd, char *text)
{
	size_t used = 0;
	ssize_t got;

	while (used < READ_SIZE && (got = read(fd, text + used, READ_SIZE - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	return used;
}

/* The one test of this program that may touch where the log goes. */
static void a_log_that_nobody_reads_holds_nobody_up_and_says_what_was_dropped(void **state)
{
	static char text[READ_SIZE + 1];
	int saved;
	int log = catch_log(&saved);

	(void)state;
	for (int i = 0; i < LINES; i++)
		log_info("line", log_number("n", i));
	assert_true(read_all(log, text) > 0);
	assert_non_null(strstr(text, "test info line n=0\n"));
	assert_null(strstr(text, "n=9999\n"));
	assert_int_equal(text[strlen(text) - 1], '\n');
	log_info("user text", log_text("text", "a\nb\x1b\"c"));
	read_all(log, text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(log);
	assert_non_null(strstr(text, "test warning log lines dropped lines="));
	assert_non_null(strstr(text, "test info user text text=\"a\\nb\\x1b\\\"c\"\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_that_nobody_reads_holds_nobody_up_and_says_what_was_dropped),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
