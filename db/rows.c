#include "db/rows.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

int rows_columns(const PGresult *rows, const char *const *names, size_t count, int *at,
		 struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		at[i] = PQfnumber(rows, names[i]);
		if (at[i] < 0)
			return error_set(err, ERROR_FATAL, "the answer has no column \"%s\"",
					 names[i]);
	}
	return 0;
}

int64_t rows_affected(const PGresult *rows)
{
	/* PQcmdTuples takes a non-const result only for history's sake. */
	return strtoll(PQcmdTuples((PGresult *)(uintptr_t)rows), NULL, 10);
}

bool rows_is_null(const PGresult *rows, int row, int column)
{
	return PQgetisnull(rows, row, column) != 0;
}

int64_t rows_int(const PGresult *rows, int row, int column)
{
	const char *value = PQgetvalue(rows, row, column);
	uint64_t wide;
	uint32_t narrow;

	if (rows_is_null(rows, row, column))
		return 0;
	if (PQgetlength(rows, row, column) == (int)sizeof(wide)) {
		memcpy(&wide, value, sizeof(wide));
		return (int64_t)be64toh(wide);
	}
	memcpy(&narrow, value, sizeof(narrow));
	return (int32_t)be32toh(narrow);
}

bool rows_bool(const PGresult *rows, int row, int column)
{
	return !rows_is_null(rows, row, column) && PQgetvalue(rows, row, column)[0] != 0;
}

struct uuid rows_uuid(const PGresult *rows, int row, int column)
{
	struct uuid uuid = { { 0 } };

	if (!rows_is_null(rows, row, column))
		memcpy(uuid.bytes, PQgetvalue(rows, row, column), UUID_BYTES);
	return uuid;
}

struct row_place rows_place(const PGresult *rows, int row, int column)
{
	struct row_place place = ROW_PLACE_UNKNOWN;

	if (!rows_is_null(rows, row, column))
		memcpy(place.bytes, PQgetvalue(rows, row, column), sizeof(place.bytes));
	return place;
}

const char *rows_text(const PGresult *rows, int row, int column)
{
	return rows_is_null(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

size_t rows_length(const PGresult *rows, int row, int column)
{
	return (size_t)PQgetlength(rows, row, column);
}
