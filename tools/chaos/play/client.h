/*
 * One client of the load: it submits batches under a request_id, sends what it has no answer to again, cancels, and
 * writes all of that down (client-N.log of history.h). One thread.
 */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_CLIENT_H
#define LOCUM_TOOLS_CHAOS_PLAY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct client_options {
	const char *folder;   /* that gets its log */
	const char *conninfo; /* borrowed */
	int number;
	int give_up_fd;      /* readable: what has no answer yet stays unknown */
	int64_t patience_ms; /* so does what has none after so long; 0: it is asked for until then */
};

struct client;

struct client *client_open(const struct client_options *options, struct error *err);
void client_close(struct client *client);

/* Puts a job into the next batch. options: a JSON object of locum.submit's, or NULL. */
int client_add(struct client *client, const char *handler, const char *payload, const char *options,
	       struct error *err);

enum client_fate { CLIENT_STORED, CLIENT_REFUSED, CLIENT_UNKNOWN };

/* Submits the batch until it is known what became of it, and empties it. ids gets as many as were added when they are
 * stored. *err says why of the other fates. */
enum client_fate client_submit(struct client *client, int64_t *ids, struct error *err);

/* Cancels a job, once. Returns whether that was asked of its run, or done. */
bool client_cancel(struct client *client, int64_t job);

/* Submits an ended job again and sets *again to the new one, 0 when there was nothing to do. -1: it may be stored. */
int client_retry(struct client *client, int64_t job, int64_t *again, struct error *err);

/* Writes down a job that was stored past the client. */
void client_adopt(struct client *client, int64_t job);

#endif
