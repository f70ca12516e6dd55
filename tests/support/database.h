/*
 * A database of locum's of its own for a test program, on the server that LOCUM_TEST_CONNINFO names.
 * Every change of a job's state in it is held against db/states.def (tests/db/edges.sql).
 *
 *   cmocka_run_group_tests(tests, database_open, database_close)
 *   DATABASE_TEST(test) in the list of tests
 *
 * The state that a test gets is the struct database. A helper that fails fails the test.
 */
#ifndef LOCUM_TESTS_SUPPORT_DATABASE_H
#define LOCUM_TESTS_SUPPORT_DATABASE_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"

enum { DATABASE_TEXT_SIZE = 65536, DATABASE_QUERY_SIZE = 16384 };

struct database {
	struct db *db;    /* as a dispatcher's: prepared statements, pinned plans */
	PGconn *sql;      /* what somebody else does and sees */
	struct error err; /* of the last statement that failed */
	char name[64];
	char conninfo[512]; /* for more connections */
	char text[DATABASE_TEXT_SIZE];
};

/* Group set-up and tear-down. */
int database_open(void **state);
int database_close(void **state);

/* Set-up of a test: no job, no dispatcher, the queue "default" with id 1, ids from 1 on. */
int database_clear(void **state);

/* Runs SQL, made as printf does, on d->sql. */
void database_do(struct database *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What ends jobs stands still in the server until database_let_finish. Nobody gives up as he does at a lock. */
void database_hold_finish(struct database *d);
void database_let_finish(struct database *d);

/* Its answer, columns separated by '|' and rows by line breaks; a null is "-". Valid until the next. */
const char *database_text(struct database *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int64_t database_int(struct database *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Runs SQL that must fail: "SQLSTATE message|detail". */
const char *database_refusal(struct database *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A further connection of either sort; the caller closes it. */
struct db *database_db(struct database *d, const char *role);
PGconn *database_connection(struct database *d);

/* Runs a statement of db/sql on d->db. The answer is the caller's; NULL leaves d->err. */
PGresult *database_try(struct database *d, const char *statement, struct args *args);
PGresult *database_call(struct database *d, const char *statement, struct args *args);
/* How many rows it gave or, when it gives none, touched. */
int64_t database_count(struct database *d, const char *statement, struct args *args);

#define DATABASE_TEST(test) cmocka_unit_test_setup(test, database_clear)
#define assert_sql(d, expected, ...) assert_string_equal(database_text(d, __VA_ARGS__), expected)
#define assert_refused(d, expected, ...)                                                           \
	assert_string_equal(database_refusal(d, __VA_ARGS__), expected)

#endif
