#include "tools/chaos/stage/order.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/chaos/stage/stage.h"

static const char *folder_of(const struct stage *stage, char *path, size_t size)
{
	snprintf(path, size, "%s/orders", stage->scratch);
	return path;
}

/* Every process of the stage that gets to an instant may take its order away. */
int order_open(const struct stage *stage, struct error *err)
{
#ifdef LOCUM_PROBES
	char path[PATH_MAX];

	folder_of(stage, path, sizeof(path));
	if (mkdir(path, 0777) != 0 || chmod(path, 0777) != 0 ||
	    setenv("CHAOS_PROBES", path, 1) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", path);
#else
	(void)stage;
	(void)err;
#endif
	return 0;
}

const char *order_variable(const struct stage *stage, char *text, size_t size)
{
#ifdef LOCUM_PROBES
	size_t length = (size_t)snprintf(text, size, "CHAOS_PROBES=");

	folder_of(stage, text + length, size - length);
#else
	(void)stage;
	(void)size;
	text[0] = '\0';
#endif
	return text;
}

int order_possible(struct error *err)
{
#ifdef LOCUM_PROBES
	(void)err;
	return 0;
#else
	return error_set(err, ERROR_INPUT,
			 "only builds for tests have probes: build with "
			 "CPPFLAGS=-DLOCUM_PROBES");
#endif
}

static void path_of(const struct bout *bout, const char *name, const char *suffix,
		    char path[static PATH_MAX])
{
	char folder[PATH_MAX / 2];

	folder_of(bout->stage, folder, sizeof(folder));
	snprintf(path, PATH_MAX, "%s/%s%s", folder, name, suffix);
}

/* Under another name first: whoever finds it finds it whole. */
int order_give(const struct bout *bout, const char *name, const char *what, pid_t pid,
	       struct error *err)
{
	char unready[PATH_MAX];
	char armed[PATH_MAX];
	FILE *file;

	path_of(bout, name, ".unready", unready);
	path_of(bout, name, "", armed);
	file = fopen(unready, "we");
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", unready);
	fputs(what, file);
	if (pid != 0)
		fprintf(file, " %d", (int)pid);
	if (fclose(file) != 0 || chmod(unready, 0644) != 0 || rename(unready, armed) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", armed);
	return 0;
}

/* From the file's new name. */
pid_t order_taken_by(const struct bout *bout, const char *name)
{
	size_t length = strlen(name);
	char path[PATH_MAX];
	DIR *folder = opendir(folder_of(bout->stage, path, sizeof(path)));
	struct dirent *entry;
	pid_t pid = 0;

	while (folder != NULL && pid == 0 && (entry = readdir(folder)) != NULL)
		if (strncmp(entry->d_name, name, length) == 0 && entry->d_name[length] == '.')
			pid = (pid_t)strtol(entry->d_name + length + 1, NULL, 10);
	if (folder != NULL)
		closedir(folder);
	return pid;
}

void order_withdraw(const struct bout *bout, const char *name)
{
	char path[PATH_MAX];
	char suffix[16];

	path_of(bout, name, "", path);
	unlink(path);
	path_of(bout, name, ".unready", path);
	unlink(path);
	snprintf(suffix, sizeof(suffix), ".%d", (int)order_taken_by(bout, name));
	path_of(bout, name, suffix, path);
	unlink(path);
}
