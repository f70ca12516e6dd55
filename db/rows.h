/*
 * The answer of a statement: rows of binary values, read by column index. Indexes come from the names,
 * once per answer.
 */
#ifndef LOCUM_DB_ROWS_H
#define LOCUM_DB_ROWS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/row_place.h"

/* Sets at[i] to the index of the column names[i]. -1 with ERROR_FATAL when the answer lacks one. */
int rows_columns(const PGresult *rows, const char *const *names, size_t count, int *at,
		 struct error *err);

static inline int rows_count(const PGresult *rows)
{
	return PQntuples(rows);
}

/* How many rows a statement without RETURNING touched. */
int64_t rows_affected(const PGresult *rows);

/* Values of a row; a null reads as 0, false, the zero UUID, or NULL. int reads int4 and int8. Texts end in
 * NUL and belong to the answer. */
bool rows_is_null(const PGresult *rows, int row, int column);
int64_t rows_int(const PGresult *rows, int row, int column);
bool rows_bool(const PGresult *rows, int row, int column);
struct uuid rows_uuid(const PGresult *rows, int row, int column);
struct row_place rows_place(const PGresult *rows, int row, int column);
const char *rows_text(const PGresult *rows, int row, int column);
size_t rows_length(const PGresult *rows, int row, int column);

#endif
