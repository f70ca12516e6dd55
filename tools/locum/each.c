#include "tools/locum/each.h"

#include <argp.h>
#include <stdlib.h>

struct options {
	struct cli *cli;
	char **texts;
	size_t count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		state->child_inputs[1] = options->cli;
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
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};

static int act_on_all(const struct each *each, const struct options *options, const int64_t *ids,
		      struct error *err)
{
	struct db *db;
	int worst = CLI_OK;

	if (cli_open(options->cli, &db, err) != 0)
		return -1;
	for (size_t i = 0; i < options->count && worst >= 0; i++) {
		int status = each->act(options->cli, db, ids[i], err);

		if (status != CLI_OK)
			worst = status;
	}
	db_close(db);
	return worst;
}

int each_run(const struct each *each, struct cli *cli, int argc, char **argv, struct error *err)
{
	const struct argp argp = {
		.parser = parse,
		.args_doc = "JOB...",
		.doc = each->doc,
		.children = CHILDREN,
	};
	struct options options = { .cli = cli };
	int64_t *ids;
	int status;

	cli_parse(&argp, argc, argv, &options);
	if (cli_jobs(cli, options.texts, options.count, &ids, err) != 0)
		return -1;
	status = act_on_all(each, &options, ids, err);
	free(ids);
	return status;
}
