/* A connection of a fault's own, straight to the server, that holds on to something: a lock, a snapshot, a slot. */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_GRIP_H
#define LOCUM_TOOLS_CHAOS_FAULTS_GRIP_H

#include "base/error.h"

struct grip;
struct server;

/* NULL on error; err->sqlstate is that of a refusal. */
struct grip *grip_open(const struct server *server, struct error *err);

/* Ends the session, and what it holds. NULL is allowed. */
void grip_close(struct grip *grip);

/* Runs tools/chaos/sql/NAME.sql, which may be several statements. */
int grip_run(struct grip *grip, const char *name, struct error *err);

/* The process that serves it. */
int grip_pid(const struct grip *grip);

#endif
