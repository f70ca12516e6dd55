#include "dispatcher/config_user.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { RECORD_BYTES = 16384, QUOTED_SIZE = 80 };

/* 0 and *found, or an errno. */
static int look_up(const char *name, struct passwd **found)
{
	char *record = malloc(RECORD_BYTES);
	struct passwd entry;
	int rc;

	if (record == NULL)
		return ENOMEM;
	rc = getpwnam_r(name, &entry, record, RECORD_BYTES, found);
	free(record);
	return rc;
}

int config_user_read(const struct config_section *section, char **user, struct error *err)
{
	const struct config_value *value = config_file_value(section, "user", 0);
	struct passwd *found = NULL;
	char quoted[QUOTED_SIZE];
	int rc;

	*user = NULL;
	if (value == NULL)
		return 0;
	rc = look_up(value->text, &found);
	text_quote(value->text, quoted, sizeof(quoted));
	if (rc != 0 && found == NULL && rc != ENOENT)
		return config_file_fail(section, value->line, err,
					"%s \"%s\": cannot look up the user \"%s\": %s",
					section->kind, section->name, quoted, strerror(rc));
	if (found == NULL)
		return config_file_fail(section, value->line, err,
					"%s \"%s\": this system has no user \"%s\"", section->kind,
					section->name, quoted);
	*user = strdup(value->text);
	return *user == NULL ? error_set(err, ERROR_FATAL, "out of memory") : 0;
}
