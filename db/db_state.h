/* What the parts of a connection share: db.c, exchange.c, failure.c. */
#ifndef LOCUM_DB_DB_STATE_H
#define LOCUM_DB_DB_STATE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/halt.h"

enum { DB_DETAIL_SIZE = 512, DB_CALLS_MAX = 8 };

/* One transaction that was sent, and what has come back of it. */
struct exchange {
	bool over;    /* everything that will come has come */
	size_t count; /* of calls */
	size_t apart; /* the call that a Sync goes before; count: none */
	bool parted;  /* that Sync was answered */
	bool spoilt;  /* the call apart failed */
	size_t at;    /* the call whose answer comes next; count: the Sync */
	size_t statements[DB_CALLS_MAX];
	bool preparing[DB_CALLS_MAX]; /* the answer to its preparation comes before its own */
	bool commits[DB_CALLS_MAX];   /* it is a COMMIT, which may be answered by ROLLBACK */
	PGresult *results[DB_CALLS_MAX];
	bool failed;
	struct error err; /* the first */
	int64_t deadline_ms;
	int64_t answer_ms; /* from the sending to the deadline */
};

struct db {
	PGconn *conn;
	int64_t answer_ms;
	const struct halt *halt; /* or NULL */
	bool prepare;
	bool adopted; /* somebody else closes the connection */
	bool lost;
	bool *prepared;    /* by index of EMBEDDED_STATEMENTS */
	bool spoilt;       /* of the last exchange */
	bool unreplicated; /* of the last exchange */
	char detail[DB_DETAIL_SIZE];
	struct exchange exchange;
};

#endif
