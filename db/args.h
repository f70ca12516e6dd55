/*
 * The arguments of one call of a statement, in the server's binary form.
 *
 * Filled in order, one function per argument. What is given is borrowed until the call has been sent,
 * except for arrays, whose encoding the struct owns until args_fini.
 */
#ifndef LOCUM_DB_ARGS_H
#define LOCUM_DB_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/row_place.h"

enum { ARGS_MAX = 16 };

/* -infinity and infinity as times. */
#define ARGS_TIME_FIRST INT64_MIN
#define ARGS_TIME_LAST INT64_MAX

struct args {
	int count;
	unsigned types[ARGS_MAX];     /* type oids, for the server to check */
	const char *values[ARGS_MAX]; /* NULL: SQL's null */
	int lengths[ARGS_MAX];
	char *owned[ARGS_MAX]; /* what args_fini frees */
	char small[ARGS_MAX][UUID_BYTES];
	bool failed; /* memory ended; the call that gets the struct says so */
};

/* A text that may be null, with its length. */
struct args_text {
	const char *bytes;
	size_t length;
};

void args_init(struct args *args);
void args_fini(struct args *args);

void args_int4(struct args *args, int32_t value);
void args_int8(struct args *args, int64_t value);
void args_bool(struct args *args, bool value);
void args_time(struct args *args, int64_t value); /* as the server counts; see ARGS_TIME_… */
void args_uuid(struct args *args, struct uuid value);
void args_uuid_or_null(struct args *args, struct uuid value); /* null when it is the zero UUID */
void args_text(struct args *args, const char *value);         /* NULL: null */

void args_int4_array(struct args *args, const int32_t *values, size_t count);
void args_int8_array(struct args *args, const int64_t *values, size_t count);
void args_uuid_array(struct args *args, const struct uuid *values, size_t count);
void args_place_array(struct args *args, const struct row_place *values, size_t count);
void args_text_array(struct args *args, const struct args_text *values, size_t count);

enum args_element { ARGS_INT4, ARGS_TEXT };
enum { ARGS_HEADER_BYTES = 20 };

/* An array of `count` elements that are encoded already: each an int4 of its length, or -1 for null, and its bytes
 * (db/column.h makes them). They stand behind ARGS_HEADER_BYTES that are written here; all is borrowed. NULL:
 * null. */
void args_encoded_array(struct args *args, enum args_element element, char *array, size_t length,
			size_t count);

/* As args_text_array, for ordinary strings. */
void args_string_array(struct args *args, const char *const *values, size_t count);
void args_string_array_or_null(struct args *args, const char *const *values, size_t count);

#endif
