#include "tools/locum/verb.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "db/await.h"
#include "db/rows.h"
#include "db/state.h"
#include "db/view.h"
#include "tools/locum/job_flags.h"
#include "tools/locum/output.h"
#include "tools/locum/patience.h"
#include "tools/locum/single.h"

struct options {
	struct job_flags job;
	const char *wait_text;
	int64_t wait_ms; /* -1: for ever */
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
	case 'w':
		options->wait_text = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ "wait", 'w', "DURATION", 0, "wait no longer for the end; the job goes on (for ever)", 2 },
	{ 0 },
};
static const struct argp_child CHILDREN[] = {
	{ &job_flags_argp, 0, NULL, 0 },
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
const struct argp run_argp = {
	.options = OPTIONS,
	.parser = parse,
	.args_doc = "HANDLER",
	.doc = "Submits a job, waits for its end, and prints its result. Ends with 0 when it was "
	       "completed, with 1 when it was not.",
	.children = CHILDREN,
};

/* A job that is waited for. */
struct watch {
	const struct options *options;
	struct single *single;
	struct patience patience;
	int64_t id;
	int64_t deadline_ms;
	int stop_fd;
};

/* --- the end ------------------------------------------------------------------------------------ */

/* What the handler gave goes out as it came in. */
static void print_result(const PGresult *rows)
{
	const char *result = view_text(rows, 0, "result");

	if (result != NULL)
		printf("%s\n", result);
}

static void tell_failure(const PGresult *rows, int64_t id)
{
	const char *error = view_text(rows, 0, "error");

	cli_say("job %" PRId64 " %s%s%s", id, view_text(rows, 0, "state"),
		error == NULL ? "" : ": ", error == NULL ? "" : error);
}

/* The job has ended; a queue may keep nothing of it. */
static int relay(const struct watch *watch, const PGresult *rows, struct error *err)
{
	struct cli *cli = watch->options->job.cli;
	bool completed;

	if (rows_count(rows) == 0) {
		cli_say("job %" PRId64 " ended, and its queue keeps no finished jobs", watch->id);
		return CLI_NEGATIVE;
	}
	completed = strcmp(view_text(rows, 0, "state"), state_name(STATE_COMPLETED)) == 0;
	if (cli->json)
		output_object(stdout, rows, 0);
	else if (completed)
		print_result(rows);
	if (!completed && !cli->quiet)
		tell_failure(rows, watch->id);
	if (cli_flush(cli, err) != 0)
		return error_prefix(err, "job %" PRId64 " has ended, but", watch->id);
	return completed ? CLI_OK : CLI_NEGATIVE;
}

/* --- waiting ------------------------------------------------------------------------------------ */

/* Sets *ended to whether the job has, or is gone. */
static int look(struct watch *watch, bool *ended, struct error *err)
{
	PGresult *rows = view_states(*single_db(watch->single), &watch->id, 1, err);
	enum state state;

	if (rows == NULL)
		return -1;
	*ended = rows_count(rows) == 0 ||
		 (state_read(view_text(rows, 0, "state"), &state) == 0 && state_is_terminal(state));
	PQclear(rows);
	return 0;
}

static int look_patiently(struct watch *watch, bool *ended, struct error *err)
{
	while (look(watch, ended, err) != 0)
		if (patience_mend(&watch->patience, single_db(watch->single), err) != 0)
			return error_prefix(err, "job %" PRId64 " is stored, but", watch->id);
	patience_rest(&watch->patience);
	return 0;
}

static int relay_patiently(struct watch *watch, struct error *err)
{
	PGresult *rows;
	int status;

	while ((rows = view_job(*single_db(watch->single), watch->id, err)) == NULL)
		if (patience_mend(&watch->patience, single_db(watch->single), err) != 0)
			return error_prefix(err, "job %" PRId64 " has ended, but", watch->id);
	status = relay(watch, rows, err);
	PQclear(rows);
	return status;
}

static int leave(const struct watch *watch, int code, const char *why)
{
	cli_say("%s; job %" PRId64
		" goes on: \"locum wait\" waits for it, \"locum cancel\" ends it",
		why, watch->id);
	return code;
}

static int wait_for_end(struct watch *watch, struct error *err)
{
	struct pollfd polled = { .fd = watch->stop_fd, .events = POLLIN };
	int64_t pause_ms = AWAIT_FIRST_MS;
	bool ended;

	for (;;) {
		int64_t left_ms = watch->deadline_ms - clock_monotonic_ms();

		if (look_patiently(watch, &ended, err) != 0)
			return -1;
		if (ended)
			return relay_patiently(watch, err);
		if (left_ms <= 0)
			return leave(watch, CLI_TIMEOUT, "the time to wait is over");
		if (poll(&polled, 1, (int)(left_ms < pause_ms ? left_ms : pause_ms)) == 1)
			return leave(watch, CLI_INTERRUPTED, "interrupted");
		pause_ms = await_longer_ms(pause_ms);
	}
}

static int64_t deadline_of(int64_t wait_ms)
{
	return wait_ms < 0 ? INT64_MAX : clock_monotonic_ms() + wait_ms;
}

static int run_job(struct watch *watch, struct error *err)
{
	struct cli *cli = watch->options->job.cli;

	if (single_store(watch->single, &watch->id, err) != 0)
		return -1;
	if (!cli->quiet)
		cli_say("job %" PRId64, watch->id);
	single_warn(watch->single);
	watch->deadline_ms = deadline_of(watch->options->wait_ms);
	return wait_for_end(watch, err);
}

static int run(struct options *options, struct error *err)
{
	struct watch watch = { .options = options };
	int status = -1;

	if (options->job.handler == NULL)
		return cli_usage(options->job.cli, err, "which handler? Name one");
	if (options->wait_text != NULL &&
	    duration_read(options->wait_text, &options->wait_ms, err) != 0)
		return error_prefix(err, "--wait");
	if (job_flags_read(&options->job, err) != 0)
		return -1;
	watch.stop_fd = options->job.cli->stop_fd();
	watch.patience = (struct patience){ .cli = options->job.cli,
					    .limit_ms = options->job.retry_for_ms,
					    .stop_fd = watch.stop_fd };
	watch.single = single_open(&options->job, watch.stop_fd, err);
	if (watch.single != NULL)
		status = run_job(&watch, err);
	single_close(watch.single);
	if (watch.stop_fd >= 0)
		close(watch.stop_fd);
	return status;
}

int run_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .wait_ms = -1 };
	int status;

	job_flags_init(&options.job, cli);
	cli_parse(&run_argp, argc, argv, &options);
	status = run(&options, err);
	job_flags_fini(&options.job);
	return status;
}
