/*
 * What the fault proxy reads of PostgreSQL's protocol 3: where a client's messages begin, who it is, what its
 * requests run, and when the server has answered one. Nothing here keeps bytes.
 */
#ifndef LOCUM_TOOLS_CHAOS_RELAY_RELAY_PROTOCOL_H
#define LOCUM_TOOLS_CHAOS_RELAY_RELAY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RELAY_PROTOCOL_HEAD = 5,    /* bytes of a message's head: its type and length */
	RELAY_PROTOCOL_NAME = 128,  /* longest application_name that is kept, with its end */
	RELAY_PROTOCOL_FAULT = 128, /* room for relay_protocol_failing_… */
};

/* The kinds of a client's first messages, which have no type. */
enum relay_opening {
	RELAY_OPENING_SESSION,
	RELAY_OPENING_ENCRYPTION, /* asked for; the server answers with one byte */
	RELAY_OPENING_OTHER,      /* a cancellation, or something unknown */
};

/* Reads the head of a client's first message: 1, with its length in bytes; 0: more is needed; -1: it is none. */
int relay_protocol_opening(const char *bytes, size_t length, enum relay_opening *kind,
			   size_t *whole);

/* The application_name in a whole opening of a session; "" without one. */
void relay_protocol_name(const char *bytes, size_t length, char name[RELAY_PROTOCOL_NAME]);

/* The length of the message at `bytes` with its head, of which RELAY_PROTOCOL_HEAD bytes are there; 0: it is none. */
size_t relay_protocol_length(const char *bytes);

/* Whether a client's message of this type makes the server run something that is named or written in it. */
bool relay_protocol_runs(char type);

/* Whether it ends a request, so that the server commits and answers ReadyForQuery. */
bool relay_protocol_ends(char type);

/* Messages that fail the transaction in which they arrive: a whole request of its own (answered by
 * ReadyForQuery), or what goes before a request's Sync. Return their length. */
size_t relay_protocol_failing_query(char bytes[RELAY_PROTOCOL_FAULT]);
size_t relay_protocol_failing_parse(char bytes[RELAY_PROTOCOL_FAULT]);

#endif
