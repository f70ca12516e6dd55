/* A service under test: `locum handler-test` is its host. One process at a time, one thread. */
#ifndef LOCUM_TOOLS_LOCUM_SUBJECT_H
#define LOCUM_TOOLS_LOCUM_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/rpc.h"

struct subject {
	pid_t pid;      /* 0: reaped */
	int orders_fd;  /* -1: closed */
	int answers_fd; /* -1: closed */
	struct buffer in;
	bool ended; /* descriptor 4 has */
	int status; /* of waitid, when pid is 0 */
	bool by_signal;
};

/* Starts a program; argv ends with NULL. */
int subject_start(struct subject *subject, char *const *argv, struct error *err);

/* Kills what is left of its process group, and frees. */
void subject_end(struct subject *subject);

/* Writes orders; answers that come meanwhile are kept. Fails when it does not read for timeout_ms. */
int subject_write(struct subject *subject, const char *bytes, size_t length, int64_t timeout_ms,
		  struct error *err);

/* Closes descriptor 3, or our end of descriptor 4. */
void subject_close_orders(struct subject *subject);
void subject_close_answers(struct subject *subject);

/* Waits for the next message. Returns 1, 0 at the end of descriptor 4, -1 when nothing came in time or what
 * came breaks rule 2.1. The message is valid until the next call; text of the line in *line. */
int subject_read(struct subject *subject, int64_t timeout_ms, struct rpc_message *message,
		 struct error *err);

/* Reads nothing for a while. Fails when it exits meanwhile. */
int subject_look_away(struct subject *subject, int64_t ms, struct error *err);

/* Waits until it has exited; what it writes meanwhile is kept. Returns -1 when it has not in time. */
int subject_await_exit(struct subject *subject, int64_t timeout_ms, struct error *err);

#endif
