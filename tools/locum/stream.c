#include "tools/locum/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/locum/progress.h"
#include "tools/locum/transaction.h"

enum { STORED_SIZE = 320 };

struct stream {
	struct stream_options options;
	struct intake intake;
	struct progress progress;
	struct transaction transaction;
	int64_t batches; /* committed */
	int64_t jobs;
	int64_t line;    /* the last stored one */
	bool unreadable; /* nobody reads the ids */
};

static const char *plural(int64_t count, const char *ending)
{
	return count == 1 ? "" : ending;
}

static void describe_stored(const struct stream *stream, char *text, size_t size)
{
	if (stream->jobs == 0)
		snprintf(text, size, "nothing was stored");
	else if (stream->options.batch == 0)
		snprintf(text, size, "%" PRId64 " job%s stored up to line %" PRId64, stream->jobs,
			 plural(stream->jobs, "s"), stream->line);
	else
		snprintf(text, size,
			 "%" PRId64 " batch%s (%" PRId64 " job%s) stored up to line %" PRId64,
			 stream->batches, plural(stream->batches, "es"), stream->jobs,
			 plural(stream->jobs, "s"), stream->line);
}

/* Whether a later run can take the same lines for the same. */
static bool is_resumable(const struct stream *stream)
{
	return stream->options.room == 0 || stream->options.when_full == INTAKE_BLOCK;
}

static void append_unknown(const struct stream *stream, char *text, size_t size)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used,
		 "; it is unknown whether lines %" PRId64 " to %" PRId64 " were stored, too",
		 stream->line + 1, stream->transaction.line);
}

static void append_resume(const struct stream *stream, char *text, size_t size)
{
	size_t used = strlen(text);
	char request[UUID_TEXT_SIZE];

	if (is_resumable(stream))
		snprintf(text + used, size - used, "; go on with the same command and --resume %s",
			 uuid_text(stream->options.request_id, request));
}

/* A reader of the ids that went away does not end the stream; a full disk does. */
static int print_ids(struct stream *stream, struct error *err)
{
	if (stream->unreadable ||
	    ids_print(&stream->transaction.ids, stdout, stream->options.cli->json, err) == 0)
		return 0;
	stream->unreadable = errno == EPIPE;
	if (!stream->unreadable)
		stream->options.cli->failure = CLI_NEGATIVE;
	clearerr(stdout);
	return stream->unreadable ? 0 : -1;
}

/* The transaction is committed: now its ids are news. */
static int announce(struct stream *stream, struct error *err)
{
	const struct transaction *done = &stream->transaction;

	if (done->jobs == 0)
		return 0;
	stream->batches++;
	stream->jobs += done->jobs;
	stream->line = done->line;
	if (isatty(STDOUT_FILENO) != 0)
		progress_clear(&stream->progress);
	return print_ids(stream, err);
}

static int run(struct stream *stream, struct error *err)
{
	while (!stream->intake.ended) {
		if (transaction_run(&stream->transaction, &stream->intake, err) != 0 ||
		    announce(stream, err) != 0)
			return -1;
		intake_look_for_stop(&stream->intake);
	}
	return 0;
}

/* What went wrong, and what is stored all the same. */
static int fail(const struct stream *stream, struct error *err)
{
	struct error what = *err;
	char stored[STORED_SIZE];

	describe_stored(stream, stored, sizeof(stored));
	if (stream->transaction.unknown)
		append_unknown(stream, stored, sizeof(stored));
	if (stream->jobs > 0 || stream->transaction.unknown)
		append_resume(stream, stored, sizeof(stored));
	error_set(err, what.kind, "%.600s; %s", what.text, stored);
	memcpy(err->sqlstate, what.sqlstate, sizeof(err->sqlstate));
	return -1;
}

static int finish(struct stream *stream)
{
	bool stopped = intake_stopped(&stream->intake);
	char stored[STORED_SIZE];

	describe_stored(stream, stored, sizeof(stored));
	if (stopped && stream->jobs > 0)
		append_resume(stream, stored, sizeof(stored));
	if (stopped)
		cli_say("interrupted; %s", stored);
	else if (!stream->options.cli->quiet)
		cli_say("%s", stored);
	return stopped ? CLI_INTERRUPTED : CLI_OK;
}

/* Returns the exit code that the drops ask for, unless there is a worse one. */
static int tell_dropped(struct stream *stream, int status)
{
	int64_t dropped = intake_dropped(&stream->intake);

	if (dropped == 0)
		return status;
	if (stream->options.cli->json)
		printf("{\"dropped\":%" PRId64 "}\n", dropped);
	cli_say("the buffer was full: %" PRId64 " line%s dropped", dropped,
		dropped == 1 ? " was" : "s were");
	return status == CLI_OK ? CLI_AGAIN : status;
}

/* A stream that is killed cannot say any more how to go on. */
static void tell_request(const struct stream *stream, bool is_new)
{
	char request[UUID_TEXT_SIZE];

	if (is_new && is_resumable(stream) && !stream->options.cli->quiet)
		cli_say("this stream is %s: should it be cut off, --resume takes it up",
			uuid_text(stream->options.request_id, request));
}

static int submit(struct stream *stream, int stop_fd, bool is_new, struct error *err)
{
	int status;

	if (transaction_open(&stream->transaction, &stream->options, stop_fd, &stream->progress,
			     err) != 0)
		return -1;
	tell_request(stream, is_new);
	progress_init(&stream->progress, !stream->options.cli->quiet, stream->intake.lines.size);
	status = run(stream, err);
	progress_clear(&stream->progress);
	status = status == 0 ? finish(stream) : fail(stream, err);
	status = tell_dropped(stream, status);
	transaction_close(&stream->transaction);
	return status;
}

int stream_submit(const struct stream_options *options, struct error *err)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	bool is_new = uuid_is_none(options->request_id);
	int stop_fd;
	int status = -1;

	if (stream == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	stream->options = *options;
	if (is_new)
		stream->options.request_id = uuid_make();
	stop_fd = options->cli->stop_fd();
	options->cli->ignore_pipes();
	if (intake_open(&stream->intake, options->path, stop_fd, options->room, options->when_full,
			err) == 0) {
		status = submit(stream, stop_fd, is_new, err);
		intake_close(&stream->intake);
	}
	if (stop_fd >= 0)
		close(stop_fd);
	free(stream);
	return status;
}
