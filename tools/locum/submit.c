#include "tools/locum/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/limits.h"
#include "base/text.h"
#include "db/submission.h"
#include "tools/locum/payload.h"
#include "tools/locum/stream.h"
#include "tools/locum/unserved.h"

/* OPTION(key, field, name, argument, help): options whose text is checked after all were read. */
#define TEXTS(X)                                                                                   \
	X('p', payload, "payload", "JSON",                                                         \
	  "what the job is about; - reads stdin, @FILE a file ({})")                               \
	X('Q', queue, "queue", "QUEUE", "the line that it waits in (default)")                     \
	X('P', priority, "priority", "0-9", "smaller is sooner (5)")                               \
	X('r', run_at, "run-at", "TIME", "not before this time")                                   \
	X('D', delay, "delay", "DURATION", "not before that long from now")                        \
	X('k', key, "key", "KEY", "no second unfinished job of this key in the queue")             \
	X('R', request_id, "request-id", "UUID", "submitting again with it stores nothing new")    \
	X('m', max_attempts, "max-attempts", "N", "runs that may fail (5)")                        \
	X('t', timeout, "timeout", "DURATION", "of one run (none)")                                \
	X('e', expires, "expires", "DURATION", "not started later than that from now")             \
	X('i', on_interrupt, "on-interrupt", "retry|fail|hold", "when its worker dies (retry)")    \
	X('T', traceparent, "traceparent", "TEXT", "W3C trace context, passed to the handler")     \
	X('S', stream, "stream", "FILE", "submit a job for each line of FILE or, for -, of stdin") \
	X('b', batch, "batch", "N", "with --stream: one transaction for each N lines")

struct options {
	struct cli *cli;
	const char *handler;
#define TEXT_FIELD(key, field, name, argument, help) const char *field##_text;
	TEXTS(TEXT_FIELD)
#undef TEXT_FIELD
	bool strict;
	struct submission submission;
	char *payload; /* owned */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		state->child_inputs[1] = options->cli;
		return 0;
#define TEXT_CASE(letter, field, name, argument, help)                                             \
	case letter:                                                                               \
		options->field##_text = arg;                                                       \
		return 0;
		TEXTS(TEXT_CASE)
#undef TEXT_CASE
	case 's':
		options->strict = true;
		return 0;
	case ARGP_KEY_ARG:
		if (options->handler != NULL)
			argp_error(state, "\"%s\" is too much: one handler is enough", arg);
		options->handler = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
#define TEXT_OPTION(key, field, name, argument, help) { name, key, argument, 0, help, 1 },
	TEXTS(TEXT_OPTION)
#undef TEXT_OPTION
		{ "strict", 's', NULL, 0, "refuse a handler or queue that nobody serves", 1 },
	{ 0 },
};
static const struct argp_child CHILDREN[] = {
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
const struct argp submit_argp = {
	.options = OPTIONS,
	.parser = parse,
	.args_doc = "HANDLER\n--stream FILE",
	.doc = "Submits a job and prints its id, or a job for each line of a stream: an object with "
	       "\"handler\", \"payload\" and other options, named as here with _ for -.",
	.children = CHILDREN,
};

static int read_duration(const char *option, const char *text, int64_t *ms, struct error *err)
{
	if (text == NULL || duration_read(text, ms, err) == 0)
		return 0;
	return error_prefix(err, "%s", option);
}

static int read_durations(struct options *options, struct error *err)
{
	struct submission *submission = &options->submission;

	if (read_duration("--delay", options->delay_text, &submission->delay_ms, err) != 0 ||
	    read_duration("--timeout", options->timeout_text, &submission->timeout_ms, err) != 0 ||
	    read_duration("--expires", options->expires_text, &submission->expires_ms, err) != 0)
		return -1;
	return 0;
}

/* A number that is none is a wrong command line; whether it is in range, the server says. */
static int read_numbers(struct options *options, struct error *err)
{
	struct submission *submission = &options->submission;

	if (options->priority_text != NULL &&
	    cli_number(options->cli, "--priority", options->priority_text, INT32_MIN, INT32_MAX,
		       &submission->priority, err) != 0)
		return -1;
	if (options->max_attempts_text == NULL)
		return 0;
	if (cli_number(options->cli, "--max-attempts", options->max_attempts_text, INT32_MIN,
		       INT32_MAX, &submission->max_attempts, err) != 0)
		return -1;
	return submission->max_attempts != 0
		       ? 0
		       : error_set(err, ERROR_INPUT, "--max-attempts must be 1 to %d, not 0",
				   LIMIT_ATTEMPTS_MAX);
}

static int read_request_id(const char *text, struct uuid *request_id, struct error *err)
{
	if (text == NULL || uuid_read(text, request_id) == 0)
		return 0;
	return error_set(err, ERROR_INPUT, "--request-id: \"%.60s\" is not a UUID", text);
}

static int check_text(const char *option, const char *text, struct error *err)
{
	if (text == NULL || text_valid(text, strlen(text)) == strlen(text))
		return 0;
	return error_set(err, ERROR_INPUT, "%s is not UTF-8 text", option);
}

static int read_texts(struct options *options, struct error *err)
{
	struct submission *submission = &options->submission;

	submission->handler = options->handler;
	submission->run_at = options->run_at_text;
	submission->key = options->key_text;
	submission->traceparent = options->traceparent_text;
	if (options->queue_text != NULL)
		submission->queue = options->queue_text;
	if (options->on_interrupt_text != NULL)
		submission->on_interrupt = options->on_interrupt_text;
	if (check_text("--key", submission->key, err) != 0 ||
	    check_text("--run-at", submission->run_at, err) != 0 ||
	    check_text("--on-interrupt", submission->on_interrupt, err) != 0 ||
	    check_text("--traceparent", submission->traceparent, err) != 0 ||
	    text_check_name("handler", submission->handler, err) != 0 ||
	    text_check_name("queue", submission->queue, err) != 0)
		return -1;
	return read_request_id(options->request_id_text, &submission->request_id, err);
}

static int read_payload(struct options *options, struct error *err)
{
	if (options->payload_text == NULL)
		return 0;
	options->payload = payload_read(options->payload_text, err);
	if (options->payload == NULL)
		return -1;
	options->submission.payload = options->payload;
	return 0;
}

/* The server says that the payload is no JSON; the place is found here. */
static int explain(const struct options *options, struct error *err)
{
	const char *payload = options->submission.payload;
	char place[256];

	if (strcmp(err->sqlstate, "22P02") == 0 && strstr(err->text, "json") != NULL &&
	    payload_find_fault(payload, strlen(payload), place, sizeof(place)) == 0) {
		error_set(err, ERROR_INPUT, "the payload is not JSON: %s", place);
	}
	return -1;
}

static void print_id(const struct cli *cli, int64_t id)
{
	printf(cli->json ? "{\"id\":%" PRId64 "}\n" : "%" PRId64 "\n", id);
	fflush(stdout);
}

static int store_served(const struct options *options, struct db *db, int64_t *id,
			struct error *err)
{
	struct unserved seen = { .strict = true };

	if (db_execute(db, "begin", err) != 0)
		return -1;
	if (submission_store(db, &options->submission, id, err) != 0)
		return explain(options, err);
	if (unserved_check(&seen, db, id, 1, err) != 0)
		return -1;
	return db_execute(db, "commit", err);
}

/* The id goes out before the warning: the job is stored, whatever happens to the connection then. */
static int store(const struct options *options, struct db *db, struct error *err)
{
	struct unserved seen = { .strict = false };
	int64_t id;

	if (options->strict) {
		if (store_served(options, db, &id, err) != 0)
			return -1;
		print_id(options->cli, id);
		return CLI_OK;
	}
	if (submission_store(db, &options->submission, &id, err) != 0)
		return explain(options, err);
	print_id(options->cli, id);
	unserved_check(&seen, db, &id, 1, NULL);
	return CLI_OK;
}

static int submit_one(struct options *options, struct error *err)
{
	struct db *db;
	int status;

	if (read_numbers(options, err) != 0 || read_durations(options, err) != 0 ||
	    read_texts(options, err) != 0 || read_payload(options, err) != 0)
		return -1;
	if (cli_open(options->cli, &db, err) != 0)
		return -1;
	status = store(options, db, err);
	db_close(db);
	return status;
}

static int submit_stream(struct options *options, struct error *err)
{
	struct stream_options stream = {
		.cli = options->cli,
		.path = options->stream_text,
		.strict = options->strict,
	};

	if (options->batch_text != NULL && cli_number(options->cli, "--batch", options->batch_text,
						      1, STREAM_BATCH_MAX, &stream.batch, err) != 0)
		return -1;
	if (read_request_id(options->request_id_text, &stream.request_id, err) != 0)
		return -1;
	return stream_submit(&stream, err);
}

/* The options that a stream gives line by line instead. */
static const char *out_of_place(const struct options *options)
{
	const struct {
		const char *text;
		const char *name;
	} given[] = {
#define TEXT_GIVEN(key, field, name, argument, help) { options->field##_text, name },
		TEXTS(TEXT_GIVEN)
#undef TEXT_GIVEN
	};
	static const char *const STREAMING[] = { "stream", "batch", "request-id" };

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		bool streaming = false;

		for (size_t j = 0; j < sizeof(STREAMING) / sizeof(STREAMING[0]); j++)
			streaming = streaming || strcmp(STREAMING[j], given[i].name) == 0;
		if (given[i].text != NULL && !streaming)
			return given[i].name;
	}
	return NULL;
}

static int submit(struct options *options, struct error *err)
{
	const char *stray;

	if (options->stream_text == NULL) {
		if (options->handler == NULL)
			return cli_usage(options->cli, err,
					 "which handler? Name one, or give --stream");
		if (options->batch_text != NULL)
			return cli_usage(options->cli, err, "--batch goes with --stream");
		return submit_one(options, err);
	}
	stray = options->handler != NULL ? options->handler : out_of_place(options);
	if (stray != NULL)
		return cli_usage(options->cli, err,
				 "\"%.60s\" does not go with --stream: each line has its own",
				 stray);
	return submit_stream(options, err);
}

int submit_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli };
	int status;

	submission_init(&options.submission);
	cli_parse(&submit_argp, argc, argv, &options);
	status = submit(&options, err);
	free(options.payload);
	return status;
}
