/*
 * The fault proxy: a socket between clients and their server that does harm on order. It knows enough of PostgreSQL's
 * protocol to see who a connection belongs to (application_name), what is asked (statement names, COMMIT, Sync), and
 * when the server has answered. It listens on a Unix socket and on a port of 127.0.0.1, and connects to the server's.
 * One thread of its own, epoll; nothing in it blocks, and it keeps a bounded number of bytes of each connection.
 */
#ifndef LOCUM_TOOLS_CHAOS_RELAY_RELAY_H
#define LOCUM_TOOLS_CHAOS_RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct relay;

/* The first seven are done to connections, whole ones when the rule has no trigger, else from the trigger on. The others
 * are done to requests: everything up to a Sync, or a simple query. */
enum relay_harm {
	RELAY_PASS,
	RELAY_DELAY,     /* each piece comes later by delay_ms, ± jitter_ms, in order */
	RELAY_RATE,      /* at most rate bytes a second in each direction */
	RELAY_RESET,     /* the connection is reset (RST, or closed on a Unix socket); at a trigger
				once the server has the request */
	RELAY_HALF_OPEN, /* the relay stops reading and writing, and keeps the connection */
	RELAY_DROP_REQUESTS,      /* what clients send is thrown away from now on */
	RELAY_DROP_ANSWERS,       /* what the server sends is thrown away from now on */
	RELAY_DROP_NOTIFICATIONS, /* what others notify of is left out of what the server sends */
	RELAY_CUT_REQUEST,        /* the request never arrives, the client is cut off */
	RELAY_CUT_ANSWER, /* the server does it and answers; the client is cut off and hears nothing */
	RELAY_HOLD,       /* the request waits hold_ms, then arrives; the client waits */
	RELAY_HOLD_SYNC, /* the server does it, but its end, which commits, waits hold_ms */
	RELAY_HOLD_AND_CUT, /* as RELAY_HOLD, but the client is cut off at once: a late request of a dead client */
	RELAY_ABORT, /* the server is made to fail the transaction just before the request, or if it is
				one of its own, before its end: COMMIT is answered, but says ROLLBACK */
};

struct relay_rule {
	enum relay_harm harm;
	const char
		*client; /* connections with this in their application_name; NULL: all. Borrowed */
	const char *
		trigger; /* a request that runs something with these bytes in its first 64 KiB (a statement's
				name, its text, "COMMIT"); NULL: any. Borrowed */
	int percent; /* of the matching requests or connections, by chance; 0 and 100: all */
	int times;   /* how often yet; 0: until another rule */
	int64_t delay_ms;
	int64_t jitter_ms;
	int64_t hold_ms; /* 0: until another rule */
	int64_t rate;    /* bytes a second */
	uint64_t seed;
};

/* Starts it before the server with that socket folder (or IPv4 address) and port. Its own Unix socket is
 * FOLDER/.s.PGSQL.5432, for everybody to connect to. NULL on error. */
struct relay *relay_open(const char *folder, const char *server_host, int server_port,
			 struct error *err);

/* Ends it and every connection. NULL is fine. */
void relay_close(struct relay *relay);

/* Where clients connect: a port of 127.0.0.1. */
int relay_port(const struct relay *relay);

/* Another rule instead of the present one. What is held or clogged goes on when the rule passes; a connection of which
 * bytes were thrown away is then closed. Any thread. */
void relay_set(struct relay *relay, const struct relay_rule *rule);

/* How often the present rule has done its harm: to connections or requests. Any thread. */
int64_t relay_hits(struct relay *relay);

/* The bytes that it delayed, slowed, held or dropped, or that wait at half-open connections. Any thread. */
int64_t relay_bytes(struct relay *relay);

#endif
