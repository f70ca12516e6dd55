/* News for the pump, from any thread. The pump polls mailbox_fd and takes all at once. */
#ifndef LOCUM_DISPATCHER_MAILBOX_H
#define LOCUM_DISPATCHER_MAILBOX_H

#include "base/error.h"
#include "base/uuid.h"
#include "db/dispatcher.h"
#include "dispatcher/config.h"

enum mail_kind {
	MAIL_BORN,       /* incarnation, life: registered, the fence is up: claim */
	MAIL_DEAD,       /* this incarnation was declared dead: drop everything */
	MAIL_SIGNAL,     /* signal: about one job */
	MAIL_QUIET,      /* claim nothing more */
	MAIL_DRAIN,      /* claim nothing more, finish what runs, and end */
	MAIL_RELEASE,    /* hand everything back at once, and end */
	MAIL_AGENT_BORN, /* agent, fd: a new process with its socket */
	MAIL_AGENT_DEAD, /* agent: its process is gone and so is all that it ran */
	MAIL_RELOAD,     /* config: takes the place of the present one */
};

struct mail {
	enum mail_kind kind;
	struct uuid incarnation;
	int64_t life; /* BORN: its number (base/fence.h) */
	struct signal signal;
	int64_t since_ms;      /* of MAIL_DRAIN: when it was asked for, CLOCK_MONOTONIC */
	int agent;             /* index into the configuration */
	int fd;                /* the receiver's to close */
	struct config *config; /* on the heap; the receiver's to free */
	struct mail *next;
};

struct mailbox;

int mailbox_open(struct mailbox **box, struct error *err);
void mailbox_close(struct mailbox *box);

/* Readable when there is mail. */
int mailbox_fd(const struct mailbox *box);

/* Copies *mail into the box. Any thread. Ends the process when memory does: news must not be lost. */
void mailbox_post(struct mailbox *box, const struct mail *mail);

/* Throws away what is there and closes the sockets in it. */
void mailbox_clear(struct mailbox *box);

/* Takes all mail, oldest first, as a list; free each. Never blocks. */
struct mail *mailbox_take(struct mailbox *box);

#endif
