/*
 * What went wrong, and what the caller may do about it.
 *
 * A failing function returns -1 (or NULL) and fills the `struct error *` that is its last
 * parameter; outputs are set only on success. It never logs: the loop that handles the error does.
 */
#ifndef LOCUM_BASE_ERROR_H
#define LOCUM_BASE_ERROR_H

enum error_kind {
	ERROR_NONE,
	ERROR_RETRY, /* the same call may succeed later: connection, conflict, shortage */
	ERROR_LOST,  /* the claim belongs to somebody else now: abandon, never retry */
	ERROR_INPUT, /* what was given is wrong: the same call fails again */
	ERROR_FATAL, /* locum, its installation or its database is wrong: stop */
};

enum { ERROR_TEXT_MAX = 1024 };

struct error {
	enum error_kind kind;
	char sqlstate[6]; /* of the server, or "" */
	char text[ERROR_TEXT_MAX];
};

/* Fills *err (may be NULL) as printf does. Always returns -1, so failing is one line. */
int error_set(struct error *err, enum error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set, with ": " and the text of errno_value behind. */
int error_set_errno(struct error *err, enum error_kind kind, int errno_value, const char *format,
		    ...) __attribute__((format(printf, 4, 5)));

/* Puts "PREFIX: " before the text of *err and keeps the rest. Always returns -1. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

void error_clear(struct error *err);

#endif
