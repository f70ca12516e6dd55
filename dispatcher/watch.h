/*
 * What a dispatcher sees of its siblings. A whole scan costs as much as the fleet is large, so that the cost of all of
 * them grows with its square; in a large fleet one reads only its next successors, and scans the whole where these
 * do not tell as much: one of them is silent, or one has just been declared dead oneself.
 */
#ifndef LOCUM_DISPATCHER_WATCH_H
#define LOCUM_DISPATCHER_WATCH_H

#include "db/dispatcher.h"

struct watch {
	struct uuid id; /* of the watching dispatcher, as the last whole scan told */
	int64_t size;   /* of the fleet then; 0: not known */
	int64_t whole_due_ms;
};

enum { WATCH_WHOLE_MS = 60000 };

/* A scan, and what it told. */
struct watch_scan {
	struct uuid self;
	int64_t now_ms;           /* CLOCK_MONOTONIC */
	struct db_call calls[2];  /* the second may be somebody else's, in the same transaction; */
	bool shared;              /* it is, */
	PGresult *rows;           /* and its answer, the caller's to PQclear; NULL: none */
	struct sibling *siblings; /* the caller's to free */
	size_t count;
	struct sibling_server server;
};

/* Scans. The siblings are what sibling_scan tells, though the fleet's size may be up to WATCH_WHOLE_MS old.
 * Returns 0, or -1. */
int watch_scan(struct watch *watch, struct db *db, struct watch_scan *scan, struct error *err);

#endif
