/*
 * The end of all waiting: a moment that one thread sets and others mind while they wait for a socket. Until it is set
 * they wait as long as they like.
 */
#ifndef LOCUM_BASE_HALT_H
#define LOCUM_BASE_HALT_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct halt {
	int fd; /* an eventfd, readable once the moment is set */
	_Atomic int64_t deadline_ms;
};

int halt_open(struct halt *halt, struct error *err);
void halt_close(struct halt *halt);

/* Nobody waits longer than until then (CLOCK_MONOTONIC). The earliest counts. Any thread. */
void halt_set(struct halt *halt, int64_t deadline_ms);

/* The moment; INT64_MAX when none is set or halt is NULL. Any thread. */
int64_t halt_deadline_ms(const struct halt *halt);

/* Waits for what pollfd asks, until deadline_ms and never beyond the halt (or NULL). May return early, for a signal or a
 * halt that was just set. -1 with errno when poll fails. */
int halt_poll(const struct halt *halt, struct pollfd *pollfd, int64_t deadline_ms);

#endif
