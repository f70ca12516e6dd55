#include "db/statement.h"

#include <string.h>

#include "db/embedded.h"

size_t statement_count(void)
{
	size_t count = 0;

	while (EMBEDDED_STATEMENTS[count].name != NULL)
		count++;
	return count;
}

/* They are sorted by name. */
int statement_find(const char *name, size_t *index, struct error *err)
{
	size_t low = 0;
	size_t high = statement_count();

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(EMBEDDED_STATEMENTS[middle].name, name);

		if (order == 0) {
			*index = middle;
			return 0;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return error_set(err, ERROR_FATAL, "there is no statement \"%s\"", name);
}
