/*
 * One direction of a connection through the fault proxy: what has arrived and is not looked at yet, and what is on its
 * way out, each piece at its time and no faster than allowed. Bounded; belongs to the proxy's thread.
 */
#ifndef LOCUM_TOOLS_CHAOS_RELAY_RELAY_PIPE_H
#define LOCUM_TOOLS_CHAOS_RELAY_RELAY_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum {
	RELAY_PIPE_LOOK = 64 * 1024, /* so much of a message is looked at */
	RELAY_PIPE_PIECES = 1024,
};

struct relay_piece {
	int64_t due_ms;
	size_t length;
};

struct relay_pipe {
	struct buffer in;
	struct buffer out;
	struct relay_piece pieces[RELAY_PIPE_PIECES]; /* of `out`, a ring */
	size_t first;
	size_t piece_count;
	size_t rest; /* bytes of the present message that are still to come */
	bool readable;
	bool ended;        /* nothing more comes in */
	bool broken;       /* nobody takes what goes out: it is thrown away */
	bool blocked;      /* until there is room at the other end */
	int64_t earned_ms; /* when the allowance was last added to */
	int64_t allowance; /* thousandths of a byte that may go out under a rate */
};

void relay_pipe_init(struct relay_pipe *pipe);
void relay_pipe_fini(struct relay_pipe *pipe);

/* Whether more may come in, or be passed on. */
bool relay_pipe_has_room(const struct relay_pipe *pipe);

/* Reads once. */
void relay_pipe_read(struct relay_pipe *pipe, int fd);

/* Passes the first `length` bytes that arrived on, to leave at due_ms and behind what is there; or throws them away. */
void relay_pipe_pass(struct relay_pipe *pipe, size_t length, int64_t due_ms);
void relay_pipe_drop(struct relay_pipe *pipe, size_t length);

/* Puts bytes of the proxy's own behind what is there. */
void relay_pipe_put(struct relay_pipe *pipe, const char *bytes, size_t length);

/* What waits for its time leaves now. */
void relay_pipe_hurry(struct relay_pipe *pipe);

/* Writes what is due; `rate` in bytes a second, 0: as fast as it goes. */
void relay_pipe_write(struct relay_pipe *pipe, int fd, int64_t rate, int64_t now_ms);

/* When there is something to write next; INT64_MAX: nothing, or there is no room for it. */
int64_t relay_pipe_due_ms(const struct relay_pipe *pipe, int64_t rate, int64_t now_ms);

/* Nothing is in it. */
bool relay_pipe_is_empty(const struct relay_pipe *pipe);

#endif
