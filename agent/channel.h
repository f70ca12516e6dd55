/*
 * The socket to the dispatcher: whole frames in, whole frames out, never waiting. Owned by the loop's
 * thread.
 */
#ifndef LOCUM_AGENT_CHANNEL_H
#define LOCUM_AGENT_CHANNEL_H

#include <stdbool.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/wire.h"

struct channel_callbacks {
	void (*awake)(void *context); /* before anything is read */
	void (*frame)(void *context, const struct wire_frame *frame);
	/* The dispatcher is gone (err->kind is ERROR_NONE), or the socket or what it says is bad. Called
	 * once; nothing is read or written after it. */
	void (*gone)(void *context, const struct error *err);
	/* The loop has let go of a closed channel; may be NULL. */
	void (*closed)(void *context);
};

struct channel {
	int fd;
	bool open;
	bool ended; /* nothing more comes; what came is delivered first */
	int events; /* what the poll watches for */
	uv_poll_t poll;
	struct buffer in;
	struct buffer out;
	const struct channel_callbacks *callbacks;
	void *context;
};

/* Takes the descriptor. Frames are delivered by the loop. */
int channel_open(struct channel *channel, uv_loop_t *loop, int fd,
		 const struct channel_callbacks *callbacks, void *context, struct error *err);

/* Sends what is in channel->out, now as far as the socket takes it, the rest when it can. */
void channel_flush(struct channel *channel);

/* Delivers all that has come, and calls gone at the end of file. */
void channel_drain(struct channel *channel);

/* Whether there is nothing left to send, or nobody to send it to. */
bool channel_is_flushed(const struct channel *channel);

/* Closes the socket and drops what was not sent; may be called again. */
void channel_close(struct channel *channel);

#endif
