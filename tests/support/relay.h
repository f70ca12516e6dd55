/*
 * A socket between a client and the server that cuts the connection at one chosen moment: when the client's
 * bytes hold a given text for the first time. Before the server gets them, or after it has answered and
 * before the client hears of it. Later connections pass untouched.
 */
#ifndef LOCUM_TESTS_SUPPORT_RELAY_H
#define LOCUM_TESTS_SUPPORT_RELAY_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>

struct relay {
	const char *trigger; /* the text */
	bool answered;       /* cut after the server's answer instead of before the request */
	bool cut;            /* it happened */
	char server[128];    /* the path of the server's socket */
	char folder[64];     /* of the relay's socket: its "host" */
	int listener;
	pthread_t thread;
};

/* Starts it in front of the server that this connection leads to. */
void relay_start(struct relay *relay, const PGconn *server, const char *trigger, bool answered);
void relay_stop(struct relay *relay);

#endif
