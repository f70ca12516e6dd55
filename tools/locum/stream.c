#include "tools/locum/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/locum/lines.h"
#include "tools/locum/progress.h"
#include "tools/locum/transaction.h"

struct stream {
	const struct stream_options *options;
	struct lines lines;
	struct progress progress;
	struct transaction transaction;
	int64_t batches; /* committed */
	int64_t jobs;
	int64_t line; /* the last stored one */
};

static void describe_stored(const struct stream *stream, char *text, size_t size)
{
	if (stream->jobs == 0)
		snprintf(text, size, "nothing was stored");
	else if (stream->options->batch == 0)
		snprintf(text, size, "%" PRId64 " job%s stored up to line %" PRId64, stream->jobs,
			 stream->jobs == 1 ? "" : "s", stream->line);
	else
		snprintf(text, size,
			 "%" PRId64 " batch%s (%" PRId64 " job%s) stored up to line %" PRId64,
			 stream->batches, stream->batches == 1 ? "" : "es", stream->jobs,
			 stream->jobs == 1 ? "" : "s", stream->line);
}

/* The transaction is committed: now its ids are news. */
static void announce(struct stream *stream)
{
	const struct transaction *done = &stream->transaction;

	if (done->jobs == 0)
		return;
	stream->batches++;
	stream->jobs += done->jobs;
	stream->line = done->line;
	if (isatty(STDOUT_FILENO) != 0)
		progress_clear(&stream->progress);
	ids_print(&done->ids, stdout, stream->options->cli->json);
	progress_show(&stream->progress, stream->jobs, stream->lines.offset);
}

static int run(struct stream *stream, struct error *err)
{
	while (!stream->lines.ended) {
		if (transaction_run(&stream->transaction, &stream->lines, err) != 0)
			return -1;
		announce(stream);
		lines_look_for_stop(&stream->lines);
	}
	return 0;
}

/* What went wrong, and what is stored all the same. */
static int fail(const struct stream *stream, struct error *err)
{
	struct error what = *err;
	char stored[160];
	char request[UUID_TEXT_SIZE];

	describe_stored(stream, stored, sizeof(stored));
	if (stream->transaction.unknown)
		snprintf(stored, sizeof(stored),
			 "it is unknown whether lines %" PRId64 " to %" PRId64
			 " were stored: submit the same stream again with --request-id %s",
			 stream->line + 1, stream->transaction.line,
			 uuid_text(stream->transaction.request_id, request));
	error_set(err, what.kind, "%.800s; %s", what.text, stored);
	memcpy(err->sqlstate, what.sqlstate, sizeof(err->sqlstate));
	return -1;
}

static int finish(struct stream *stream)
{
	char stored[160];

	describe_stored(stream, stored, sizeof(stored));
	if (stream->lines.stopped)
		cli_say("interrupted; %s", stored);
	else if (!stream->options->cli->quiet)
		cli_say("%s", stored);
	return stream->lines.stopped ? CLI_INTERRUPTED : CLI_OK;
}

int stream_submit(const struct stream_options *options, struct error *err)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct cli *cli = options->cli;
	int stop_fd = -1;
	int status = -1;

	if (stream == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	stream->options = options;
	if (lines_open(&stream->lines, options->path, -1, err) != 0)
		goto out_stream;
	if (transaction_open(&stream->transaction, options, err) != 0)
		goto out_lines;
	stop_fd = cli->stop_fd();
	stream->lines.stop_fd = stop_fd;
	progress_init(&stream->progress, !cli->quiet, stream->lines.size);
	status = run(stream, err);
	progress_clear(&stream->progress);
	status = status == 0 ? finish(stream) : fail(stream, err);
	transaction_close(&stream->transaction);
	if (stop_fd >= 0)
		close(stop_fd);
out_lines:
	lines_close(&stream->lines);
out_stream:
	free(stream);
	return status;
}
