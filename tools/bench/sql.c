#include "tools/bench/sql.h"

#include <string.h>

const char *sql_text(const char *name)
{
	for (const struct embedded_sql *sql = EMBEDDED_BENCH; sql->name != NULL; sql++)
		if (strcmp(sql->name, name) == 0)
			return sql->text;
	return "";
}
