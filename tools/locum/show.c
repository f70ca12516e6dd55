#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/rows.h"
#include "db/view.h"
#include "tools/locum/output.h"
#include "tools/locum/story.h"
#include "tools/locum/verb.h"
#include "tools/locum/watch.h"

struct options {
	struct cli *cli;
	char **texts; /* the arguments */
	size_t count;
	int64_t *ids;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 3; i++)
			state->child_inputs[i] = options->cli;
		return 0;
	case ARGP_KEY_ARGS:
		options->texts = state->argv + state->next;
		options->count = (size_t)(state->argc - state->next);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child CHILDREN[] = {
	{ &watch_argp, 0, NULL, 0 },
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
const struct argp show_argp = {
	.parser = parse,
	.args_doc = "JOB...",
	.doc = "Tells the whole story of a job: what it is, what became of it, who lost it on the way, and "
	       "what followed. The payload and the result are printed as they were given, to the byte. With "
	       "-q, the state only.",
	.children = CHILDREN,
};

/* The rows as a further member of an object: a list. */
static void put_list(const char *name, const PGresult *rows)
{
	printf(",\"%s\":[", name);
	for (int row = 0; row < rows_count(rows); row++) {
		fputs(row == 0 ? "{" : ",{", stdout);
		output_members(stdout, rows, row);
		putchar('}');
	}
	putchar(']');
}

static void put_object(const PGresult *job, const PGresult *episodes, const PGresult *follow_ups)
{
	putchar('{');
	output_members(stdout, job, 0);
	put_list("history", episodes);
	put_list("follow_ups", follow_ups);
	puts("}");
}

static void put_job(const struct cli *cli, const PGresult *job, const PGresult *episodes,
		    const PGresult *follow_ups)
{
	if (cli->json)
		put_object(job, episodes, follow_ups);
	else if (cli->quiet)
		printf("%s\n", view_text(job, 0, "state"));
	else
		story_put(cli, job, episodes, follow_ups);
}

static int show(const struct cli *cli, struct db *db, int64_t id, struct error *err)
{
	PGresult *job = view_job(db, id, err);
	PGresult *episodes = job == NULL ? NULL : view_episodes(db, id, err);
	PGresult *follow_ups = episodes == NULL ? NULL : view_follow_ups(db, id, err);
	int status = follow_ups == NULL ? -1 : CLI_OK;

	if (status == CLI_OK && rows_count(job) == 0) {
		cli_say("there is no job %" PRId64, id);
		status = CLI_NEGATIVE;
	} else if (status == CLI_OK) {
		put_job(cli, job, episodes, follow_ups);
	}
	PQclear(follow_ups);
	PQclear(episodes);
	PQclear(job);
	return status;
}

static int draw(void *context, struct db *db, struct error *err)
{
	const struct options *options = context;
	int worst = CLI_OK;

	for (size_t i = 0; i < options->count && worst >= 0; i++) {
		int status = show(options->cli, db, options->ids[i], err);

		if (status != CLI_OK)
			worst = status;
	}
	return worst;
}

int show_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli };
	int status;

	cli_parse(&show_argp, argc, argv, &options);
	if (cli_jobs(cli, options.texts, options.count, &options.ids, err) != 0)
		return -1;
	status = watch_run(cli, draw, &options, err);
	free(options.ids);
	return status;
}
