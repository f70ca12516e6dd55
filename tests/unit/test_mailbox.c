#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "dispatcher/mailbox.h"

enum { THREADS = 8, LETTERS = 2000 };

static struct mailbox *open_box(void)
{
	struct mailbox *box;

	assert_int_equal(mailbox_open(&box, NULL), 0);
	return box;
}

static bool has_mail(const struct mailbox *box)
{
	struct pollfd pollfd = { .fd = mailbox_fd(box), .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

static void post(struct mailbox *box, enum mail_kind kind, int agent)
{
	struct mail mail = { .kind = kind, .agent = agent, .fd = -1 };

	mailbox_post(box, &mail);
}

static void mail_is_taken_in_the_order_it_was_posted(void **state)
{
	struct mailbox *box = open_box();
	struct mail *mail;

	(void)state;
	assert_false(has_mail(box));
	for (int i = 0; i < 100; i++)
		post(box, MAIL_AGENT_DEAD, i);
	assert_true(has_mail(box));
	mail = mailbox_take(box);
	for (int i = 0; i < 100; i++) {
		struct mail *next = mail->next;

		assert_int_equal(mail->agent, i);
		free(mail);
		mail = next;
	}
	assert_null(mail);
	assert_false(has_mail(box));
	mailbox_close(box);
}

static void an_empty_box_gives_nothing_and_does_not_block(void **state)
{
	struct mailbox *box = open_box();

	(void)state;
	assert_null(mailbox_take(box));
	mailbox_close(box);
}

static void sockets_that_nobody_took_are_closed_with_the_box(void **state)
{
	struct mailbox *box = open_box();
	struct pollfd end = { .events = POLLIN };
	struct mail mail = { .kind = MAIL_AGENT_BORN };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	end.fd = ends[0];
	mail.fd = ends[1];
	mailbox_post(box, &mail);
	mailbox_close(box);
	assert_int_equal(poll(&end, 1, 0), 1);
	assert_true((end.revents & POLLHUP) != 0);
	close(ends[0]);
}

static void mail_without_a_socket_closes_none(void **state)
{
	struct mailbox *box = open_box();
	struct mail mail = { .kind = MAIL_AGENT_DEAD };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	mail.fd = ends[1];
	mailbox_post(box, &mail);
	mailbox_clear(box);
	assert_false(has_mail(box));
	assert_int_equal(write(ends[1], "x", 1), 1);
	mailbox_close(box);
	close(ends[0]);
	close(ends[1]);
}

struct sender {
	pthread_t thread;
	struct mailbox *box;
	int index;
};

static void *send_letters(void *context)
{
	struct sender *sender = context;

	for (int i = 0; i < LETTERS; i++) {
		struct mail mail = { .kind = MAIL_SIGNAL, .agent = sender->index, .fd = i };

		mailbox_post(sender->box, &mail);
	}
	return NULL;
}

/* Takes what is there and holds it against what each sender sent before. Returns how many. */
static int take_letters(struct mailbox *box, int next[THREADS])
{
	struct mail *mail = mailbox_take(box);
	int count = 0;

	while (mail != NULL) {
		struct mail *after = mail->next;

		assert_int_equal(mail->fd, next[mail->agent]);
		next[mail->agent]++;
		free(mail);
		mail = after;
		count++;
	}
	return count;
}

static void of_many_threads_no_letter_is_lost_and_each_keeps_its_order(void **state)
{
	struct mailbox *box = open_box();
	struct sender senders[THREADS];
	struct pollfd pollfd = { .fd = mailbox_fd(box), .events = POLLIN };
	int next[THREADS] = { 0 };
	int taken = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		senders[i] = (struct sender){ .box = box, .index = i };
		assert_int_equal(
			pthread_create(&senders[i].thread, NULL, send_letters, &senders[i]), 0);
	}
	/* Each wake-up counts: a letter that is there without one would be waited for in vain. */
	while (taken < THREADS * LETTERS) {
		assert_int_equal(poll(&pollfd, 1, 120000), 1);
		taken += take_letters(box, next);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(senders[i].thread, NULL);
	assert_int_equal(taken, THREADS * LETTERS);
	mailbox_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_is_taken_in_the_order_it_was_posted),
		cmocka_unit_test(an_empty_box_gives_nothing_and_does_not_block),
		cmocka_unit_test(sockets_that_nobody_took_are_closed_with_the_box),
		cmocka_unit_test(mail_without_a_socket_closes_none),
		cmocka_unit_test(of_many_threads_no_letter_is_lost_and_each_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
