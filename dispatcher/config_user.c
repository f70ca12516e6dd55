#include "dispatcher/config_user.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { RECORD_BYTES = 16384, QUOTED_SIZE = 80 };

/* 1: there is such a user, 0: there is none, -1 with errno: nobody knows. */
static int look_up(const char *name)
{
	char *record = malloc(RECORD_BYTES);
	struct passwd entry;
	struct passwd *found = NULL;
	int rc;

	if (record == NULL)
		return -1;
	rc = getpwnam_r(name, &entry, record, RECORD_BYTES, &found);
	free(record);
	if (found != NULL)
		return 1;
	errno = rc;
	return rc == 0 || rc == ENOENT ? 0 : -1;
}

int config_user_read(const struct config_section *section, char **user, struct error *err)
{
	const struct config_value *value = config_file_value(section, "user", 0);
	char quoted[QUOTED_SIZE];
	int rc;

	*user = NULL;
	if (value == NULL)
		return 0;
	text_quote(value->text, quoted, sizeof(quoted));
	rc = look_up(value->text);
	if (rc < 0) {
		error_set_errno(err, ERROR_INPUT, errno, "cannot look up the user \"%s\"", quoted);
		return error_prefix(err, "%s:%d", section->path, value->line);
	}
	if (rc == 0)
		return config_file_fail(section, value->line, err,
					"%s \"%s\": this system has no user \"%s\"", section->kind,
					section->name, quoted);
	*user = strdup(value->text);
	return *user == NULL ? error_set(err, ERROR_FATAL, "out of memory") : 0;
}
