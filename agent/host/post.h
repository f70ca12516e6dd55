/* The host's end of the socket: bytes in, bytes out, outcomes into frames. Owned by the desk's thread. */
#ifndef LOCUM_AGENT_HOST_POST_H
#define LOCUM_AGENT_HOST_POST_H

#include "agent/host/locum_job.h"
#include "base/buffer.h"
#include "base/wire.h"

struct post {
	int fd;
	struct buffer in;
	struct buffer out;
};

/* Takes the descriptor. */
void post_open(struct post *post, int fd);
void post_close(struct post *post);

/* Waits for the first frame, which is HELLO. */
int post_greet(struct post *post, struct wire_hello *hello, struct error *err);

/* Reads what has come, without waiting. -1 at the end of file, with ERROR_NONE, and for errors. */
int post_fill(struct post *post, struct error *err);

/* Writes frames: what is in broken, then one OUTCOME frame for the jobs, which it frees. */
int post_send(struct post *post, const struct buffer *broken, struct locum_job_list *jobs,
	      size_t count, struct error *err);

/* Sends as much as the socket takes. */
int post_flush(struct post *post, struct error *err);

#endif
