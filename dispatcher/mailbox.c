#include "dispatcher/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
	int fd;
	pthread_mutex_t lock; /* guards first and last */
	struct mail *first;
	struct mail *last;
};

int mailbox_open(struct mailbox **box, struct error *err)
{
	struct mailbox *opened = calloc(1, sizeof(*opened));

	if (opened == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	opened->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (opened->fd < 0) {
		free(opened);
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make an eventfd");
	}
	pthread_mutex_init(&opened->lock, NULL);
	*box = opened;
	return 0;
}

void mailbox_clear(struct mailbox *box)
{
	struct mail *mail = mailbox_take(box);

	while (mail != NULL) {
		struct mail *next = mail->next;

		if (mail->kind == MAIL_AGENT_BORN)
			close(mail->fd);
		if (mail->kind == MAIL_RELOAD) {
			config_fini(mail->config);
			free(mail->config);
		}
		free(mail);
		mail = next;
	}
}

void mailbox_close(struct mailbox *box)
{
	if (box == NULL)
		return;
	mailbox_clear(box);
	pthread_mutex_destroy(&box->lock);
	close(box->fd);
	free(box);
}

int mailbox_fd(const struct mailbox *box)
{
	return box->fd;
}

void mailbox_post(struct mailbox *box, const struct mail *mail)
{
	struct mail *copy = malloc(sizeof(*copy));
	uint64_t one = 1;
	ssize_t written;

	assert(copy != NULL);
	*copy = *mail;
	copy->next = NULL;
	pthread_mutex_lock(&box->lock);
	if (box->last == NULL)
		box->first = copy;
	else
		box->last->next = copy;
	box->last = copy;
	pthread_mutex_unlock(&box->lock);
	written = write(box->fd, &one, sizeof(one));
	(void)written; /* the counter cannot overflow: it is read to zero */
}

struct mail *mailbox_take(struct mailbox *box)
{
	struct mail *first;
	uint64_t count;
	ssize_t got = read(box->fd, &count, sizeof(count));

	(void)got; /* nothing there is fine */
	pthread_mutex_lock(&box->lock);
	first = box->first;
	box->first = NULL;
	box->last = NULL;
	pthread_mutex_unlock(&box->lock);
	return first;
}
