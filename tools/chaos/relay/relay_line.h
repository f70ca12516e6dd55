/* One connection through the fault proxy, and the harm that is done to it. Belongs to the proxy's thread. */
#ifndef LOCUM_TOOLS_CHAOS_RELAY_RELAY_LINE_H
#define LOCUM_TOOLS_CHAOS_RELAY_RELAY_LINE_H

#include "tools/chaos/relay/relay.h"
#include "tools/chaos/relay/relay_pipe.h"
#include "tools/chaos/relay/relay_protocol.h"

/* The present rule, and what it has done. */
struct relay_order {
	struct relay_rule rule;
	int64_t number;
	int64_t hits;
	int64_t bytes;
	uint64_t chance;
};

/* One of a connection's two sockets, as epoll knows it. */
struct relay_end {
	struct relay_line *line;
	int fd;         /* -1: closed */
	uint32_t armed; /* what epoll waits for */
};

struct relay_line {
	struct relay_order *order;
	int64_t number; /* of the order that was last looked at */
	bool weighed;   /* whether it is meant by the order is decided */
	int epoll;
	struct relay_end client;
	struct relay_end server;
	struct relay_pipe up;   /* requests */
	struct relay_pipe down; /* answers */
	char name[RELAY_PROTOCOL_NAME];
	bool typed; /* the opening is over */
	bool unheard; /* the message of the server that is being passed on is a notification to be dropped */
	bool opaque; /* encrypted, or no session: it passes unseen */
	int replies; /* bytes of the server that stand alone: its word on encryption */

	enum relay_harm harm;   /* that is done to the whole of it */
	enum relay_harm at_end; /* what comes at the end of the present request */
	bool judged;            /* the message at the head has been held against the rule */
	bool ending;            /* the message that is being passed on ends a request */
	bool wounded;           /* bytes of it were thrown away */
	bool held;              /* requests wait, */
	int64_t held_until_ms;
	bool keeping;   /* also those that were passed on already */
	bool resetting; /* it is reset when the server has what was passed on */
	bool over;

	int64_t asked;    /* requests that were passed on, the opening among them */
	int64_t answered; /* how many of them the server is done with */
	char status;      /* of the session then: I, T or E */
	int64_t muted;    /* answers after so many requests are for nobody */
	int64_t awaited;  /* requests wait until so many are answered */
	int64_t cut_at;   /* it ends when so many are answered; 0: it does not */
};

/* Takes both sockets, which do not block. NULL closes them. */
struct relay_line *relay_line_open(struct relay_order *order, int epoll, int client, int server);
void relay_line_close(struct relay_line *line);

/* epoll's word on one of its ends. */
void relay_line_event(struct relay_end *end, uint32_t events);

/* Reads, judges and writes what can be. After that line->over says whether it is to be closed. */
void relay_line_turn(struct relay_line *line, int64_t now_ms);

/* When its next turn is due without an event. */
int64_t relay_line_due_ms(const struct relay_line *line, int64_t now_ms);

/* The bytes that wait to be read. */
int64_t relay_line_waiting(const struct relay_line *line);

/* --- for those that judge ----------------------------------------------------------------------- */

/* Whether the rule means this client and has times left, by chance. Counts a hit. */
bool relay_line_is_hit(struct relay_line *line);

/* Passes the first bytes of one direction on, or throws them away, as the harm to the whole connection says. */
void relay_line_pass(struct relay_line *line, struct relay_pipe *pipe, size_t length,
		     int64_t now_ms);

/* Holds requests back for as long as the rule says. */
void relay_line_hold(struct relay_line *line, int64_t now_ms);

/* Cuts the client off; the server's side stays. */
void relay_line_part(struct relay_line *line);

#endif
