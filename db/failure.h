/* What libpq says about a failure, as an error of ours. */
#ifndef LOCUM_DB_FAILURE_H
#define LOCUM_DB_FAILURE_H

#include "db/db_state.h"

/* Fills *err with the first line of one of libpq's messages. Always returns -1. */
int failure_message(struct error *err, enum error_kind kind, const char *message);

/* The connection broke. Always returns -1. */
int failure_lost(struct db *db, struct error *err);

/* The server refused something; its DETAIL is kept. Always returns -1. */
int failure_result(struct db *db, const PGresult *result, struct error *err);

/* No connection came about: ERROR_FATAL when it never will. Always returns -1. */
int failure_connect(const PGconn *conn, struct error *err);

#endif
