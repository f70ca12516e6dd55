/*
 * Notifications to the service manager, as sd_notify(3) sends them: one datagram each to the socket that
 * NOTIFY_SOCKET names. Without a service manager everything here does nothing. Sending never blocks; any
 * thread may send.
 */
#ifndef LOCUM_DISPATCHER_NOTIFY_H
#define LOCUM_DISPATCHER_NOTIFY_H

#include <stdint.h>

struct notify {
	int fd;              /* connected; -1: nobody is to be told */
	int64_t watchdog_ms; /* WATCHDOG=1 is due this often; 0: not wanted */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment, so that no
 * child speaks in our name. Call before any thread is started. A socket that cannot be reached counts as
 * none. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/* Sends lines of VARIABLE=VALUE. */
void notify_send(const struct notify *notify, const char *lines);

/* Tells the watchdog that its thread turns, when *due_ms (CLOCK_MONOTONIC) is past, and sets the next time. */
void notify_feed(const struct notify *notify, int64_t *due_ms);

#endif
