#include "tools/locum/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/schema.h"
#include "tools/locum/cluster.h"
#include "tools/locum/place.h"
#include "tools/locum/program.h"
#include "tools/locum/runner.h"

enum { KEY_NO_DISPATCHER = 256 };

struct options {
	struct cli *cli;
	const char *config;
	bool no_dispatcher;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->config = arg;
		return 0;
	case KEY_NO_DISPATCHER:
		options->no_dispatcher = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ "config", 'c', "FILE", 0, "the dispatcher's configuration", 0 },
	{ "no-dispatcher", KEY_NO_DISPATCHER, NULL, 0,
	  "start the database only, and print how to connect to it", 0 },
	{ 0 },
};
const struct argp up_argp = {
	.options = OPTIONS,
	.parser = parse,
	.doc = "Makes and starts a private PostgreSQL, reachable through a Unix socket only, and a "
	       "dispatcher in the foreground. Interrupting the dispatcher drains it; the database goes on "
	       "until \"locum down\".",
};

static int ensure_server(const struct place *place, struct error *err)
{
	bool made = false;

	if (!place_has_cluster(place))
		cli_say("making a database in %s", place->top);
	if (cluster_make(place, &made, err) != 0)
		return -1;
	return cluster_start(place, err);
}

static int ensure_schema(const char *conninfo, struct error *err)
{
	struct schema_change change;
	struct db *db;
	int status;

	if (cli_dial(conninfo, &db, err) != 0)
		return -1;
	status = schema_init(db, &change, err);
	db_close(db);
	if (status == 0 && change.before != change.after)
		cli_say("schema made, version %d", change.after);
	return status;
}

static int refuse_second(struct cli *cli, const struct place *place, struct error *err)
{
	int pid = runner_pid(place);

	if (pid == 0)
		return 0;
	cli->failure = CLI_NEGATIVE;
	return error_set(err, ERROR_INPUT,
			 "locum is up already: its dispatcher has pid %d; \"locum down\" stops it",
			 pid);
}

static int run_dispatcher(struct options *options, const struct place *place, const char *program,
			  const char *conninfo, struct error *err)
{
	char *config = runner_config(place, options->config, err);

	if (config == NULL)
		return -1;
	cli_say("the dispatcher reads %s", config);
	cli_say("\"locum submit noop\" in another terminal submits a job; \"locum down\" stops all");
	runner_become(place, program, config, conninfo, err);
	free(config);
	return -1;
}

static int ensure_database(const struct place *place, const char *conninfo, struct error *err)
{
	if (ensure_server(place, err) != 0 || cluster_make_database(place, err) != 0)
		return -1;
	return ensure_schema(conninfo, err);
}

static int up_database(const struct place *place, const char *conninfo, struct error *err)
{
	if (ensure_database(place, conninfo, err) != 0)
		return -1;
	printf("%s\n", conninfo);
	return CLI_OK;
}

static int up_all(struct options *options, const struct place *place, const char *conninfo,
		  struct error *err)
{
	char *program;

	if (refuse_second(options->cli, place, err) != 0)
		return -1;
	program = program_sister("locumd", err);
	if (program == NULL)
		return -1;
	if (ensure_database(place, conninfo, err) == 0)
		run_dispatcher(options, place, program, conninfo, err);
	free(program);
	return -1;
}

static int up_locked(struct options *options, const struct place *place, struct error *err)
{
	char *conninfo = place_conninfo(place, PLACE_DATABASE);
	int status;

	if (conninfo == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (options->no_dispatcher)
		status = up_database(place, conninfo, err);
	else
		status = up_all(options, place, conninfo, err);
	free(conninfo);
	return status;
}

int up_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli };
	struct place place;
	int status = -1;
	int lock;

	cli_parse(&up_argp, argc, argv, &options);
	if (place_find(&place, err) != 0)
		return -1;
	lock = place_make(&place, err) == 0 ? place_lock(&place, err) : -1;
	if (lock >= 0) {
		status = up_locked(&options, &place, err);
		close(lock);
	}
	place_fini(&place);
	return status;
}
