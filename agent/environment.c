#include "agent/environment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAFE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The variables of a run. A handler's own environment cannot set them. */
static const char *const OF_RUN[] = {
	ENVIRONMENT_JOB_ID, ENVIRONMENT_CLAIM_ID, "LOCUM_CLAIM_SEQ",
	"LOCUM_ATTEMPT",    "LOCUM_QUEUE",        "LOCUM_HANDLER",
	"LOCUM_DEADLINE",   "TRACEPARENT",        ENVIRONMENT_PROCESS_ID,
};
enum { OF_RUN_COUNT = sizeof(OF_RUN) / sizeof(OF_RUN[0]) };
enum { OF_USER_COUNT = 7 }; /* PATH HOME USER LOGNAME SHELL LANG TZ */
enum { FIXED_BYTES = 512 }; /* names and numbers of a run's variables */
enum { TIMESTAMP_SIZE = 64 };

static size_t key_length(const char *variable)
{
	return strcspn(variable, "=");
}

static bool is_of_run(const char *variable)
{
	for (size_t i = 0; i < OF_RUN_COUNT; i++) {
		if (strlen(OF_RUN[i]) == key_length(variable) &&
		    strncmp(OF_RUN[i], variable, key_length(variable)) == 0)
			return true;
	}
	return false;
}

static bool is_set(char *const *list, const char *key)
{
	for (size_t i = 0; list[i] != NULL; i++) {
		if (key_length(list[i]) == strlen(key) && strncmp(list[i], key, strlen(key)) == 0)
			return true;
	}
	return false;
}

static size_t count_of(char *const *list)
{
	size_t count = 0;

	while (list != NULL && list[count] != NULL)
		count++;
	return count;
}

/* A list with room, being filled. */
struct filling {
	char **list;
	size_t count;
	bool failed;
};

static void add(struct filling *to, const char *variable)
{
	char *copy = strdup(variable);

	if (copy == NULL)
		to->failed = true;
	else
		to->list[to->count++] = copy;
}

/* What the handler's own environment sets, or has no value, is left out. */
static void add_default(struct filling *to, const char *key, const char *value)
{
	char *variable;

	if (value == NULL || is_set(to->list, key))
		return;
	if (asprintf(&variable, "%s=%s", key, value) < 0)
		to->failed = true;
	else
		to->list[to->count++] = variable;
}

static void add_user(struct filling *to, const struct passwd *user)
{
	if (user == NULL)
		return;
	add_default(to, "HOME", user->pw_dir);
	add_default(to, "USER", user->pw_name);
	add_default(to, "LOGNAME", user->pw_name);
	add_default(to, "SHELL", user->pw_shell[0] == '\0' ? "/bin/sh" : user->pw_shell);
}

char **environment_base(const struct handler *handler, const struct passwd *user, struct error *err)
{
	size_t own = count_of(handler->environment);
	struct filling to = { .list = calloc(own + OF_USER_COUNT + 1, sizeof(char *)) };

	if (to.list != NULL) {
		for (size_t i = 0; i < own; i++) {
			if (!is_of_run(handler->environment[i]))
				add(&to, handler->environment[i]);
		}
		add_default(&to, "PATH", SAFE_PATH);
		add_user(&to, user);
		add_default(&to, "LANG", getenv("LANG"));
		add_default(&to, "TZ", getenv("TZ"));
	}
	if (to.list == NULL || to.failed) {
		environment_free_base(to.list);
		error_set(err, ERROR_RETRY, "out of memory for an environment");
		return NULL;
	}
	return to.list;
}

void environment_free_base(char **base)
{
	for (size_t i = 0; base != NULL && base[i] != NULL; i++)
		free(base[i]);
	free(base);
}

static void write_time(int64_t time_ms, char text[static TIMESTAMP_SIZE])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm utc;
	size_t used;

	gmtime_r(&seconds, &utc);
	used = strftime(text, TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + used, TIMESTAMP_SIZE - used, ".%03dZ", (int)(time_ms % 1000));
}

/* The variables of a run, being written into one block: the pointers, then the text. */
struct writing {
	char **next;
	char *text;
	char *end;
};

__attribute__((format(printf, 2, 3))) static void write_variable(struct writing *to,
								 const char *format, ...)
{
	va_list args;
	int used;

	va_start(args, format);
	used = vsnprintf(to->text, (size_t)(to->end - to->text), format, args);
	va_end(args);
	*to->next++ = to->text;
	to->text += used + 1;
}

static void write_bytes(struct writing *to, const char *key, struct wire_bytes bytes)
{
	if (bytes.bytes != NULL)
		write_variable(to, "%s=%.*s", key, (int)bytes.length, bytes.bytes);
}

static void write_run(struct writing *to, const struct wire_job *job, int64_t deadline_ms)
{
	char claim[UUID_TEXT_SIZE];
	char deadline[TIMESTAMP_SIZE];

	write_variable(to, ENVIRONMENT_JOB_ID "=%" PRId64, job->id);
	write_variable(to, ENVIRONMENT_CLAIM_ID "=%s", uuid_text(job->claim_id, claim));
	write_variable(to, "LOCUM_CLAIM_SEQ=%" PRId64, job->claim_seq);
	write_variable(to, "LOCUM_ATTEMPT=%" PRId32, job->attempt);
	write_bytes(to, "LOCUM_QUEUE", job->queue);
	write_bytes(to, "LOCUM_HANDLER", job->handler);
	write_bytes(to, "TRACEPARENT", job->traceparent);
	if (deadline_ms > 0) {
		write_time(deadline_ms, deadline);
		write_variable(to, "LOCUM_DEADLINE=%s", deadline);
	}
}

/* A block with room for the variables of a run, `text` bytes of them, and for base. */
static char **make_block(char *const *base, size_t text, struct writing *to, struct error *err)
{
	size_t pointers = (OF_RUN_COUNT + count_of(base) + 1) * sizeof(char *);
	char *block = malloc(pointers + text);

	if (block == NULL) {
		error_set(err, ERROR_RETRY, "out of memory for an environment");
		return NULL;
	}
	*to = (struct writing){ .next = (char **)(void *)block,
				.text = block + pointers,
				.end = block + pointers + text };
	return (char **)(void *)block;
}

char **environment_of_run(char *const *base, const struct wire_job *job, int64_t deadline_ms,
			  struct error *err)
{
	size_t text = FIXED_BYTES + (size_t)job->queue.length + job->handler.length +
		      job->traceparent.length;
	struct writing to;
	char **block = make_block(base, text, &to, err);

	if (block == NULL)
		return NULL;
	write_run(&to, job, deadline_ms);
	memcpy(to.next, base, (count_of(base) + 1) * sizeof(char *));
	return block;
}

char **environment_of_service(char *const *base, const char *handler, struct uuid process,
			      struct error *err)
{
	char id[UUID_TEXT_SIZE];
	struct writing to;
	char **block = make_block(base, FIXED_BYTES + strlen(handler), &to, err);

	if (block == NULL)
		return NULL;
	write_variable(&to, "LOCUM_HANDLER=%s", handler);
	write_variable(&to, ENVIRONMENT_PROCESS_ID "=%s", uuid_text(process, id));
	memcpy(to.next, base, (count_of(base) + 1) * sizeof(char *));
	return block;
}
