/*
 * A socket between clients and the server that does harm at chosen moments: when the bytes of a client hold a
 * given text. The connection is cut before the server gets them, or after it has answered and before the client
 * hears of it; or they are held back, from a client that waits or from one that is cut off and is gone when they
 * arrive. Everything else passes untouched.
 */
#ifndef LOCUM_TESTS_SUPPORT_RELAY_H
#define LOCUM_TESTS_SUPPORT_RELAY_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { RELAY_CONNECTIONS = 256, RELAY_ALWAYS = 1 << 30 };

enum relay_harm {
	RELAY_CUT_REQUEST, /* the server never gets it */
	RELAY_CUT_ANSWER,  /* the server does it, and nobody is told */
	RELAY_HOLD,        /* it arrives when it is let go; the client may wait */
	RELAY_HOLD_SYNC, /* the server does it, and its end, which commits, comes when it is let go */
	RELAY_HOLD_AND_CUT, /* the same, but the client is cut off at once */
};

struct relay_rule {
	const char *trigger; /* the text; "": any */
	const char *role;    /* of connections with this in their name; NULL: of all */
	enum relay_harm harm;
	int times; /* how often yet */
};

struct relay_line; /* one connection */

struct relay {
	bool cut;         /* a connection was cut; to be read when the relay is stopped */
	char server[128]; /* the path of the server's socket */
	char folder[64];  /* of the relay's socket: its "host"; the port is 5432 */
	int listener;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct relay_rule rule;
	int hits;     /* of the present rule */
	bool holding; /* what is held back stays so */
	bool over;
	struct relay_line *lines[RELAY_CONNECTIONS];
	size_t line_count;
};

/* Starts it in front of the server that this connection leads to, with a rule for one cut of any connection. */
void relay_start(struct relay *relay, const PGconn *server, const char *trigger, bool answered);
void relay_stop(struct relay *relay);

/* Another rule instead of the present one; its texts are borrowed. With no times left everything passes. */
void relay_set(struct relay *relay, const struct relay_rule *rule);

/* How often the present rule has done its harm. */
int relay_hits(struct relay *relay);

/* Lets what is held back go on. */
void relay_let_go(struct relay *relay);

#endif
