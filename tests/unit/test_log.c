#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/log_limit.h"

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
	log_set_level(LOG_LEVEL_DEBUG);
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
static void nothing_is_left_out_without_its_number_being_told(void **state)
{
	static char text[READ_SIZE + 1];
	int saved;
	int log = catch_log(&saved);

	(void)state;
	for (int i = 0; i < LINES; i++)
		log_debug("line", log_number("n", i));
	assert_true(read_all(log, text) > 0);
	assert_non_null(strstr(text, "test debug line n=0\n"));
	assert_null(strstr(text, "n=9999\n"));
	assert_int_equal(text[strlen(text) - 1], '\n');
	log_info("user text", log_text("text", "a\nb\x1b\"c"));
	read_all(log, text);
	assert_non_null(strstr(text, "test warning log lines dropped lines="));
	assert_non_null(strstr(text, "test info user text text=\"a\\nb\\x1b\\\"c\"\n"));
	for (int i = 0; i < 3 * LOG_LIMIT_LINES; i++)
		log_info("the same", log_number("n", i));
	log_set_format(LOG_FORMAT_JSON);
	assert_true(log_due_ms() < INT64_MAX);
	log_settle(true);
	assert_int_equal(log_due_ms(), INT64_MAX);
	read_all(log, text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(log);
	assert_non_null(strstr(text, "test info the same n=99\n"));
	assert_null(strstr(text, "n=100\n"));
	assert_non_null(
		strstr(text, "\"message\":\"repeated\",\"of\":\"the same\",\"times\":200,"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_out_without_its_number_being_told),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
