#include "tools/locum/verb.h"

#include "db/schema.h"

static const struct argp_child CHILDREN[] = { { &cli_connection_argp, 0, NULL, 0 }, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = state->input;
		return 0;
	}
	if (key == ARGP_KEY_ARG)
		argp_error(state, "\"%s\" is too much", arg);
	return ARGP_ERR_UNKNOWN;
}

const struct argp init_argp = {
	.parser = parse,
	.doc = "Makes the schema \"locum\" in a database, or upgrades it to this program's version. Doing "
	       "it again changes nothing.",
	.children = CHILDREN,
};

int init_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct schema_change change;
	struct db *db;
	int status;

	cli_parse(&init_argp, argc, argv, cli);
	if (cli_connect(cli, &db, err) != 0)
		return -1;
	status = schema_init(db, &change, err);
	db_close(db);
	if (status != 0)
		return -1;
	if (change.before == change.after)
		cli_say("the schema is already at version %d", change.after);
	else if (change.before == 0)
		cli_say("schema made, version %d", change.after);
	else
		cli_say("schema upgraded from version %d to %d", change.before, change.after);
	return CLI_OK;
}
