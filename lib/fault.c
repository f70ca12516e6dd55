#include "lib/fault.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)LOCUM_MESSAGE_SIZE >= (int)ERROR_TEXT_MAX, "messages are not cut");

static enum locum_error_kind kind_of(enum error_kind kind)
{
	switch (kind) {
	case ERROR_NONE:
		return LOCUM_ERROR_NONE;
	case ERROR_RETRY:
		return LOCUM_ERROR_RETRY;
	case ERROR_LOST:
		return LOCUM_ERROR_LOST;
	case ERROR_INPUT:
		return LOCUM_ERROR_INPUT;
	case ERROR_FATAL:
		break;
	}
	return LOCUM_ERROR_FATAL;
}

/* No function, no schema, or no table of that name. */
static bool lacks_schema(const struct error *err)
{
	return strcmp(err->sqlstate, "42883") == 0 || strcmp(err->sqlstate, "3F000") == 0 ||
	       strcmp(err->sqlstate, "42P01") == 0;
}

int fault_tell(struct locum_error *error, const struct error *err, size_t place)
{
	if (error == NULL)
		return -1;
	*error = (struct locum_error){ .kind = kind_of(err->kind), .place = place };
	snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", err->sqlstate);
	if (lacks_schema(err))
		snprintf(
			error->message, sizeof(error->message),
			"the database has no schema of locum, or an older one: run \"locum init\"");
	else
		snprintf(error->message, sizeof(error->message), "%s", err->text);
	return -1;
}

int fault_input(struct locum_error *error, const char *message)
{
	struct error err;

	error_set(&err, ERROR_INPUT, "%s", message);
	return fault_tell(error, &err, 0);
}

int fault_memory(struct locum_error *error)
{
	struct error err;

	error_set(&err, ERROR_RETRY, "out of memory");
	return fault_tell(error, &err, 0);
}
