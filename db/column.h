/* An array argument that is encoded element by element, in the form in which it is sent. Owned by one thread. */
#ifndef LOCUM_DB_COLUMN_H
#define LOCUM_DB_COLUMN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "db/args.h"

struct column {
	enum args_element element;
	struct buffer bytes; /* room for the header, and the elements; empty while all are null */
	size_t dropped;      /* bytes of elements that were dropped from the front */
	size_t count;
};

void column_init(struct column *column, enum args_element element, size_t limit);
void column_fini(struct column *column);

/* Drops all elements and keeps the memory. */
void column_clear(struct column *column);

/* Adds an element. NULL bytes: null. */
int column_add_text(struct column *column, struct args_text text, struct error *err);
int column_add_int4(struct column *column, int32_t value, struct error *err);
int column_add_null(struct column *column, struct error *err);

/* The end of a column, and taking back what was added since. */
struct column_mark {
	size_t end;
	size_t count;
};
struct column_mark column_mark(const struct column *column);
void column_take_back(struct column *column, struct column_mark mark);

/* Drops the first elements; no more are added until column_clear. */
void column_drop(struct column *column, size_t count);

/* An element of a column of texts. */
struct args_text column_text(const struct column *column, size_t place);

/* Adds the first `count` elements to args: null when all of the column are. Borrowed. */
void column_send(struct column *column, size_t count, struct args *args);

#endif
