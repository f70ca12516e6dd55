/* `locum submit --stream`: a job for each line, in one transaction or in one per N lines. */
#ifndef LOCUM_TOOLS_LOCUM_STREAM_H
#define LOCUM_TOOLS_LOCUM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/submission.h"
#include "tools/locum/cli.h"
#include "tools/locum/intake.h"

enum { STREAM_BATCH_MAX = 1000000 };

struct stream_options {
	struct cli *cli;
	const char *path;  /* or "-" */
	int64_t batch;     /* lines of a transaction; 0: all */
	int64_t linger_ms; /* a transaction waits for further lines no longer than that */
	size_t room;       /* lines of the buffer; 0: none */
	enum intake_policy when_full;
	int64_t retry_for_ms;
	bool strict;
	struct uuid request_id; /* of the stream; the zero UUID: a new one */
	const struct submission_job *defaults;
};

/* Submits all and prints ids as transactions are committed. Returns an exit code or -1; either way stderr or
 * the error says what was stored. */
int stream_submit(const struct stream_options *options, struct error *err);

#endif
