#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

static void append(struct buffer *buffer, const char *text)
{
	assert_int_equal(buffer_append(buffer, text, strlen(text), NULL), 0);
}

static void assert_holds(const struct buffer *buffer, const char *text)
{
	assert_int_equal(buffer_length(buffer), strlen(text));
	assert_memory_equal(buffer_bytes(buffer), text, strlen(text));
}

static void bytes_come_out_in_the_order_they_went_in(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 100);
	append(&buffer, "one ");
	append(&buffer, "two");
	assert_holds(&buffer, "one two");
	buffer_free(&buffer);
}

static void consumed_bytes_are_gone_and_the_rest_stays(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 100);
	append(&buffer, "headbody");
	buffer_consume(&buffer, 4);
	assert_holds(&buffer, "body");
	append(&buffer, "tail");
	assert_holds(&buffer, "bodytail");
	buffer_free(&buffer);
}

static void the_limit_is_reached_and_never_passed(void **state)
{
	struct buffer buffer;
	struct error err = { .kind = ERROR_NONE };

	(void)state;
	buffer_init(&buffer, 8);
	append(&buffer, "12345678");
	assert_int_equal(buffer_append(&buffer, "9", 1, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_holds(&buffer, "12345678");
	buffer_free(&buffer);
}

static void the_limit_counts_only_what_is_not_consumed(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 8);
	for (int i = 0; i < 10000; i++) {
		append(&buffer, "12345678");
		buffer_consume(&buffer, 5);
		assert_holds(&buffer, "678");
		buffer_consume(&buffer, 3);
	}
	buffer_free(&buffer);
}

static void a_size_that_overflows_is_refused(void **state)
{
	struct buffer buffer;
	struct error err = { .kind = ERROR_NONE };

	(void)state;
	buffer_init(&buffer, SIZE_MAX);
	append(&buffer, "x");
	assert_null(buffer_reserve(&buffer, SIZE_MAX, &err));
	assert_int_equal(err.kind, ERROR_INPUT);
	buffer_free(&buffer);
}

static void space_of_consumed_bytes_is_used_again(void **state)
{
	struct buffer buffer;
	char block[1000];
	size_t size;

	(void)state;
	memset(block, 'x', sizeof(block));
	buffer_init(&buffer, 1 << 20);
	for (int i = 0; i < 4; i++)
		assert_int_equal(buffer_append(&buffer, block, sizeof(block), NULL), 0);
	size = buffer.size;
	buffer_consume(&buffer, 2500);
	assert_int_equal(buffer_append(&buffer, block, sizeof(block), NULL), 0);
	assert_int_equal(buffer.size, size);
	assert_int_equal(buffer_length(&buffer), 2500);
	buffer_free(&buffer);
}

static void an_emptied_large_buffer_gives_its_memory_back(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1 << 20);
	assert_non_null(buffer_reserve(&buffer, 1 << 20, NULL));
	buffer.end = 1 << 20;
	buffer_consume(&buffer, 1 << 20);
	assert_null(buffer.data);
	assert_int_equal(buffer.limit, 1 << 20);
	append(&buffer, "again");
	assert_holds(&buffer, "again");
	buffer_free(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
		cmocka_unit_test(consumed_bytes_are_gone_and_the_rest_stays),
		cmocka_unit_test(the_limit_is_reached_and_never_passed),
		cmocka_unit_test(the_limit_counts_only_what_is_not_consumed),
		cmocka_unit_test(a_size_that_overflows_is_refused),
		cmocka_unit_test(space_of_consumed_bytes_is_used_again),
		cmocka_unit_test(an_emptied_large_buffer_gives_its_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
