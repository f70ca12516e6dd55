#include "tools/chaos/faults/culprit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum { BEGIN_MS = 60000 /* until a run begins, behind the load */ };

/* --- what it noted ------------------------------------------------------------------------------ */

/* Handlers that are somebody else may write to it. */
static int make_notes(const struct stage *stage, struct error *err)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/misdeeds.log", stage->scratch);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || fchmod(fd, 0666) != 0) {
		error_set_errno(err, ERROR_FATAL, errno, "%s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static void join(char *text, size_t size, char **words, size_t count)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : " ",
					 words[i]);
}

/* The last note of its job; whether there is one that will do. */
static bool has_noted(struct bout *bout)
{
	struct culprit *culprit = bout->own;
	struct history_reader *reader = history_reader_open(bout->stage->scratch, "misdeeds.log",
							    NULL);
	int64_t at_us;
	char **words;
	size_t count;
	bool found = false;

	while (reader != NULL && history_reader_next(reader, &at_us, &words, &count, NULL) == 1) {
		if (count < 4 || strcmp(words[1], culprit->number) != 0)
			continue;
		if (culprit->pid == 0)
			culprit->noted_us = at_us;
		culprit->pid = (pid_t)strtol(words[2], NULL, 10);
		join(culprit->text, sizeof(culprit->text), words + 3, count - 3);
		found = found || culprit->deed->proof == NULL ||
			strstr(culprit->text, culprit->deed->proof) != NULL;
	}
	history_reader_close(reader);
	return found;
}

/* --- the deed ------------------------------------------------------------------------------------ */

static void look_at_agents(const struct bout *bout, struct culprit *culprit)
{
	for (int i = 0; i < fleet_size(bout->stage->fleet) && i < CULPRIT_AGENTS; i++)
		culprit->agents[i] = fleet_agent(bout->stage->fleet, i);
}

struct culprit *culprit_make(struct bout *bout, const struct culprit_deed *deed, struct error *err)
{
	struct culprit *culprit = calloc(1, sizeof(*culprit));

	if (culprit == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	bout->own = culprit;
	culprit->deed = deed;
	look_at_agents(bout, culprit);
	return culprit;
}

int culprit_commit(struct bout *bout, struct error *err)
{
	struct culprit *culprit = bout->own;
	char payload[64];

	snprintf(payload, sizeof(payload), "{\"fail\": \"%s\"}", culprit->deed->word);
	if (make_notes(bout->stage, err) != 0 ||
	    load_submit(bout->stage->load, culprit->deed->handler, payload, &culprit->job, err) !=
		    0)
		return -1;
	snprintf(culprit->number, sizeof(culprit->number), "%" PRId64, culprit->job);
	if (bout_await(bout, has_noted, BEGIN_MS, "a run that misbehaves", err) != 0)
		return -1;
	culprit->began = process_began(culprit->pid);
	return 0;
}

bool culprit_is_gone(struct bout *bout)
{
	const struct culprit *culprit = bout->own;

	return !process_lives(culprit->pid) || process_began(culprit->pid) != culprit->began;
}

bool culprit_has_ended(struct bout *bout)
{
	const struct culprit *culprit = bout->own;
	const char *params[] = { culprit->number };
	int64_t count = 0;

	return server_run(bout->stage->server, "fault_handler_ended", params, 1, &count, NULL) ==
		       0 &&
	       count > 0;
}

/* The session of a process; 0: there is none. */
static pid_t session_of(const char *number)
{
	return getsid((pid_t)strtol(number, NULL, 10));
}

int culprit_left(pid_t leader)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int left = 0;

	while (proc != NULL && (entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]) && session_of(entry->d_name) == leader)
			left += process_lives((pid_t)strtol(entry->d_name, NULL, 10));
	if (proc != NULL)
		closedir(proc);
	return left;
}

long culprit_memory_kb(pid_t pid)
{
	char path[64];
	char line[256];
	long kb = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	while (status != NULL && kb == 0 && fgets(line, sizeof(line), status) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (status != NULL)
		fclose(status);
	return kb;
}
