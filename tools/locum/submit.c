#include "tools/locum/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/limits.h"
#include "tools/locum/job_flags.h"
#include "tools/locum/single.h"
#include "tools/locum/stream.h"

enum { LINGER_MS = 1000 };

struct options {
	struct job_flags job;
	const char *stream;
	const char *batch;
	const char *linger;
	const char *buffer;
	const char *when_full;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->job;
		state->child_inputs[1] = options->job.cli;
		state->child_inputs[2] = options->job.cli;
		return 0;
	case 'S':
		options->stream = arg;
		return 0;
	case 'b':
		options->batch = arg;
		return 0;
	case 'L':
		options->linger = arg;
		return 0;
	case 'B':
		options->buffer = arg;
		return 0;
	case 'w':
		options->when_full = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ "stream", 'S', "FILE", 0, "submit a job for each line of FILE or, for -, of stdin", 2 },
	{ "batch", 'b', "N", 0, "with --stream: one transaction for each N lines", 2 },
	{ "linger", 'L', "DURATION", 0,
	  "with --batch: store the lines of a batch after that long, however few (1s)", 2 },
	{ "buffer", 'B', "N", 0, "with --batch: read on while a batch is stored, up to N lines",
	  2 },
	{ "when-full", 'w', "block|drop_oldest|drop_new", 0,
	  "what happens to lines when the buffer is full (block)", 2 },
	{ 0 },
};
static const struct argp_child CHILDREN[] = {
	{ &job_flags_argp, 0, NULL, 0 },
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
const struct argp submit_argp = {
	.options = OPTIONS,
	.parser = parse,
	.args_doc = "HANDLER\n--stream FILE [HANDLER]",
	.doc = "Submits a job and prints its id, or a job for each line of a stream: an object with "
	       "\"handler\", \"payload\" and other options, named as here with _ for -. What a line "
	       "does not say, the options say.",
	.children = CHILDREN,
};

/* --- one job ------------------------------------------------------------------------------------ */

static int print_id(struct cli *cli, int64_t id, struct error *err)
{
	printf(cli->json ? "{\"id\":%" PRId64 "}\n" : "%" PRId64 "\n", id);
	return cli_flush(cli, err);
}

/* The id goes out before the warning: the job is stored, whatever happens to the connection then. */
static int submit_one(struct options *options, struct error *err)
{
	struct single *single = single_open(&options->job, -1, err);
	int status = -1;
	int64_t id;

	if (single == NULL)
		return -1;
	if (single_store(single, &id, err) == 0) {
		status = print_id(options->job.cli, id, err);
		single_warn(single);
		if (status != 0)
			error_prefix(err, "job %" PRId64 " was stored, but", id);
	}
	single_close(single);
	return status;
}

/* --- a stream ----------------------------------------------------------------------------------- */

static int read_policy(struct options *options, enum intake_policy *policy, struct error *err)
{
	static const char *const NAMES[] = {
		[INTAKE_BLOCK] = "block",
		[INTAKE_DROP_OLDEST] = "drop_oldest",
		[INTAKE_DROP_NEW] = "drop_new",
	};

	if (options->when_full == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if (strcmp(options->when_full, NAMES[i]) == 0) {
			*policy = (enum intake_policy)i;
			return 0;
		}
	}
	return cli_usage(options->job.cli, err,
			 "--when-full is block, drop_oldest or drop_new, not \"%.60s\"",
			 options->when_full);
}

static int read_numbers(struct options *options, struct stream_options *stream, struct error *err)
{
	struct cli *cli = options->job.cli;
	int64_t room = 0;

	if (options->batch != NULL && cli_number(cli, "--batch", options->batch, 1,
						 STREAM_BATCH_MAX, &stream->batch, err) != 0)
		return -1;
	if (options->buffer != NULL &&
	    cli_number(cli, "--buffer", options->buffer, 1, LIMIT_BUFFER_LINES, &room, err) != 0)
		return -1;
	stream->room = (size_t)room;
	if (options->linger != NULL && duration_read(options->linger, &stream->linger_ms, err) != 0)
		return error_prefix(err, "--linger");
	return read_policy(options, &stream->when_full, err);
}

/* What is wrong with options that do not go together, or NULL. */
static const char *contradiction(const struct options *options, const struct stream_options *stream)
{
	if (options->job.key != NULL)
		return "--key does not go with --stream: all lines would be one job";
	if (options->job.payload != NULL && strcmp(options->job.payload, "-") == 0 &&
	    strcmp(options->stream, "-") == 0)
		return "stdin cannot be both the stream and the payload";
	if (options->linger != NULL && options->batch == NULL)
		return "--linger goes with --batch: without it nothing is stored before the end";
	if (options->buffer != NULL && options->batch == NULL)
		return "--buffer goes with --batch: without it nothing is stored before the end";
	if (options->when_full != NULL && options->buffer == NULL)
		return "--when-full goes with --buffer";
	if (stream->when_full != INTAKE_BLOCK && options->job.request_id != NULL)
		return "lines that may be dropped cannot be taken up again: --request-id and --resume "
		       "go with --when-full block";
	return NULL;
}

static int submit_stream(struct options *options, struct error *err)
{
	struct stream_options stream = {
		.cli = options->job.cli,
		.path = options->stream,
		.strict = options->job.strict,
		.linger_ms = LINGER_MS,
	};
	const char *wrong;

	if (read_numbers(options, &stream, err) != 0)
		return -1;
	wrong = contradiction(options, &stream);
	if (wrong != NULL)
		return cli_usage(options->job.cli, err, "%s", wrong);
	if (job_flags_read(&options->job, err) != 0)
		return -1;
	stream.retry_for_ms = options->job.retry_for_ms;
	stream.request_id = options->job.request_ident;
	stream.defaults = &options->job.job;
	return stream_submit(&stream, err);
}

/* An option that only a stream has, or NULL. */
static const char *stream_option(const struct options *options)
{
	if (options->batch != NULL)
		return "--batch";
	if (options->linger != NULL)
		return "--linger";
	if (options->buffer != NULL)
		return "--buffer";
	return options->when_full != NULL ? "--when-full" : NULL;
}

static int submit(struct options *options, struct error *err)
{
	struct cli *cli = options->job.cli;
	const char *stray = stream_option(options);

	if (options->stream != NULL)
		return submit_stream(options, err);
	if (options->job.handler == NULL)
		return cli_usage(cli, err, "which handler? Name one, or give --stream");
	if (stray != NULL)
		return cli_usage(cli, err, "%s goes with --stream", stray);
	return job_flags_read(&options->job, err) == 0 ? submit_one(options, err) : -1;
}

int submit_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .stream = NULL };
	int status;

	job_flags_init(&options.job, cli);
	cli_parse(&submit_argp, argc, argv, &options);
	status = submit(&options, err);
	job_flags_fini(&options.job);
	return status;
}
