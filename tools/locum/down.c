#include "tools/locum/verb.h"

#include <unistd.h>

#include "tools/locum/cluster.h"
#include "tools/locum/place.h"
#include "tools/locum/runner.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG)
		argp_error(state, "\"%s\" is too much", arg);
	return ARGP_ERR_UNKNOWN;
}

const struct argp down_argp = {
	.parser = parse,
	.doc = "Drains and stops the dispatcher of \"locum up\", then stops its database. The jobs are kept.",
};

static int stop_all(const struct place *place, struct error *err)
{
	int pid = runner_pid(place);
	bool running = cluster_is_running(place);

	if (pid != 0) {
		cli_say("stopping the dispatcher, pid %d", pid);
		if (runner_stop(pid, err) != 0)
			return -1;
	}
	if (running && cluster_stop(place, err) != 0)
		return -1;
	cli_say(running ? "the database is stopped; \"locum up\" starts it again"
			: "the database is not running");
	return CLI_OK;
}

int down_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct place place;
	int status = -1;
	int lock;

	cli_parse(&down_argp, argc, argv, cli);
	if (place_find(&place, err) != 0)
		return -1;
	if (!place_has_cluster(&place)) {
		cli_say("there is no private database in %s", place.top);
		place_fini(&place);
		return CLI_OK;
	}
	lock = place_lock(&place, err);
	if (lock >= 0) {
		status = stop_all(&place, err);
		close(lock);
	}
	place_fini(&place);
	return status;
}
