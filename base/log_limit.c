#include "base/log_limit.h"

#include <string.h>

static bool is_over(const struct log_limit_kind *kind, int64_t now_ms)
{
	return now_ms - kind->began_ms >= LOG_LIMIT_MS;
}

/* The place of the kind: its own, or one that is free. A kind whose lines wait to be told keeps its place. */
static struct log_limit_kind *find(struct log_limit *limit, enum log_level level,
				   const char *message, int64_t now_ms)
{
	struct log_limit_kind *vacant = NULL;

	for (int i = 0; i < LOG_LIMIT_KINDS; i++) {
		struct log_limit_kind *kind = &limit->kinds[i];

		if (kind->message != NULL && kind->level == level &&
		    strcmp(kind->message, message) == 0)
			return kind;
		if (vacant == NULL &&
		    (kind->message == NULL || (kind->held == 0 && is_over(kind, now_ms))))
			vacant = kind;
	}
	if (vacant != NULL)
		*vacant = (struct log_limit_kind){ .message = message,
						   .level = level,
						   .began_ms = now_ms };
	return vacant;
}

bool log_limit_admit(struct log_limit *limit, enum log_level level, const char *message,
		     int64_t now_ms)
{
	struct log_limit_kind *kind = find(limit, level, message, now_ms);

	if (kind == NULL)
		return true;
	if (is_over(kind, now_ms) && kind->held == 0) {
		kind->began_ms = now_ms;
		kind->lines = 0;
	}
	if (kind->lines++ < LOG_LIMIT_LINES)
		return true;
	kind->held++;
	return false;
}

bool log_limit_take(struct log_limit *limit, bool all, int64_t now_ms, struct log_limit_kind *told)
{
	for (int i = 0; i < LOG_LIMIT_KINDS; i++) {
		struct log_limit_kind *kind = &limit->kinds[i];

		if (kind->held == 0 || !(all || is_over(kind, now_ms)))
			continue;
		*told = *kind;
		kind->began_ms = now_ms;
		kind->lines = 0;
		kind->held = 0;
		return true;
	}
	return false;
}

int64_t log_limit_due_ms(const struct log_limit *limit)
{
	int64_t due_ms = INT64_MAX;

	for (int i = 0; i < LOG_LIMIT_KINDS; i++) {
		const struct log_limit_kind *kind = &limit->kinds[i];

		if (kind->held > 0 && kind->began_ms + LOG_LIMIT_MS < due_ms)
			due_ms = kind->began_ms + LOG_LIMIT_MS;
	}
	return due_ms;
}
