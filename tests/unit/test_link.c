#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dispatcher/link.h"

struct pair {
	struct link link;
	int agent; /* the other end */
};

static int open_pair(void **state)
{
	static struct pair pair;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	link_init(&pair.link);
	link_open(&pair.link, ends[0]);
	pair.agent = ends[1];
	*state = &pair;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *pair = *state;

	link_close(&pair->link);
	close(pair->agent);
	return 0;
}

static void what_is_written_arrives(void **state)
{
	struct pair *pair = *state;
	char text[16];

	assert_int_equal(buffer_append(&pair->link.out, "hello", 5, NULL), 0);
	assert_int_equal(link_flush(&pair->link, NULL), 0);
	assert_int_equal(buffer_length(&pair->link.out), 0);
	assert_int_equal(read(pair->agent, text, sizeof(text)), 5);
	assert_memory_equal(text, "hello", 5);
}

static void what_the_socket_does_not_take_waits(void **state)
{
	enum { MUCH = 4 * 1024 * 1024 };
	struct pair *pair = *state;
	char *room = buffer_reserve(&pair->link.out, MUCH, NULL);
	static char text[256 * 1024];
	size_t arrived = 0;
	ssize_t got;

	assert_non_null(room);
	for (int i = 0; i < MUCH; i++)
		room[i] = (char)i;
	pair->link.out.end += MUCH;
	while (arrived < MUCH) {
		assert_int_equal(link_flush(&pair->link, NULL), 0);
		while ((got = read(pair->agent, text, sizeof(text))) > 0)
			for (ssize_t i = 0; i < got; i++)
				assert_int_equal(text[i], (char)arrived++);
	}
	assert_int_equal(buffer_length(&pair->link.out), 0);
}

static void nothing_to_read_is_no_failure(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(link_fill(&pair->link, NULL), 0);
	assert_int_equal(buffer_length(&pair->link.in), 0);
}

static void what_came_before_the_end_is_there_when_the_end_shows(void **state)
{
	struct pair *pair = *state;
	struct error err;

	assert_int_equal(write(pair->agent, "last words", 10), 10);
	assert_int_equal(shutdown(pair->agent, SHUT_WR), 0);
	assert_int_equal(link_fill(&pair->link, &err), 0);
	assert_int_equal(link_fill(&pair->link, &err), -1);
	assert_int_equal(err.kind, ERROR_RETRY);
	assert_int_equal(buffer_length(&pair->link.in), 10);
	assert_memory_equal(buffer_bytes(&pair->link.in), "last words", 10);
}

static void writing_to_an_agent_that_is_gone_fails_without_a_signal(void **state)
{
	struct pair *pair = *state;
	struct error err;

	shutdown(pair->agent, SHUT_RDWR);
	assert_int_equal(buffer_append(&pair->link.out, "hello", 5, NULL), 0);
	assert_int_equal(link_flush(&pair->link, &err), -1);
	assert_int_equal(err.kind, ERROR_RETRY);
}

static void a_closed_link_forgets_what_waited_and_can_be_used_again(void **state)
{
	struct pair *pair = *state;
	int ends[2];

	pair->link.greeted = true;
	assert_int_equal(buffer_append(&pair->link.out, "for the dead", 12, NULL), 0);
	link_close(&pair->link);
	assert_int_equal(pair->link.fd, -1);
	assert_false(pair->link.greeted);
	assert_int_equal(link_flush(&pair->link, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	link_open(&pair->link, ends[0]);
	assert_int_equal(buffer_length(&pair->link.out), 0);
	close(ends[1]);
}

static void opening_a_link_closes_the_former_socket(void **state)
{
	struct pair *pair = *state;
	struct pollfd pollfd = { .fd = pair->agent, .events = POLLIN };
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	link_open(&pair->link, ends[0]);
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	assert_true((pollfd.revents & POLLHUP) != 0);
	close(ends[1]);
}

#define LINK_TEST(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINK_TEST(what_is_written_arrives),
		LINK_TEST(what_the_socket_does_not_take_waits),
		LINK_TEST(nothing_to_read_is_no_failure),
		LINK_TEST(what_came_before_the_end_is_there_when_the_end_shows),
		LINK_TEST(writing_to_an_agent_that_is_gone_fails_without_a_signal),
		LINK_TEST(a_closed_link_forgets_what_waited_and_can_be_used_again),
		LINK_TEST(opening_a_link_closes_the_former_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
