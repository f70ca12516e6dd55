/* The rules of doc/handler-protocol.md and how each is checked. One thread. */
#ifndef LOCUM_TOOLS_LOCUM_CONFORMANCE_H
#define LOCUM_TOOLS_LOCUM_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct conformance {
	char *const *argv;   /* of the program, NULL at the end */
	const char *payload; /* of the jobs that need none in particular; on one line */
	int64_t timeout_ms;  /* for an answer or an exit */
	bool known;          /* what it said in its answer to initialize: */
	int concurrency;
	bool pings;
};

/* Starts the program anew. Returns 1 when the rule is kept, 0 when it does not apply, -1 with what is wrong;
 * ERROR_FATAL when it could not be found out. */
typedef int conformance_check(struct conformance *conformance, struct error *err);

struct conformance_rule {
	const char *number;
	const char *text;
	conformance_check *check;
};

extern const struct conformance_rule conformance_rules[];
extern const size_t conformance_rule_count;

#endif
