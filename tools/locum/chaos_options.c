#include "tools/locum/chaos_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options without a letter. */
enum { KEY_SUITE = 0x200, KEY_FOR, KEY_SEED, KEY_HANDLER, KEY_YES, KEY_HTML };

static const struct argp_option RUN_OPTIONS[] = {
	{ "suite", KEY_SUITE, "quick|full|soak|probes", 0,
	  "what to play: quick, by default, takes three minutes at most, full up to ninety, soak until it is stopped",
	  1 },
	{ "fault", 'f', "FAULT", 0, "play this fault instead; may be given several times", 1 },
	{ "file", 'F', "SCENARIO", 0, "play what this file says instead", 1 },
	{ "jobs", 'n', "N", 0, "submit at least so many jobs in each act", 2 },
	{ "dispatchers", 'D', "N", 0, "so many dispatchers in each act", 2 },
	{ "for", KEY_FOR, "DURATION", 0,
	  "play each act at least so long, its faults again and again; soak: all of it", 2 },
	{ "seed", KEY_SEED, "N", 0, "draw what is random from this, as in an earlier run", 2 },
	{ "handler", KEY_HANDLER, "PROGRAM", 0, "the jobs run this command of yours", 2 },
	{ "output", 'o', "FOLDER", 0, "where the histories and the report go", 3 },
	{ "yes", KEY_YES, NULL, 0, "do not ask before a database given by -d is used", 3 },
	{ 0 },
};
static const struct argp_option REPORT_OPTIONS[] = {
	{ "html", KEY_HTML, NULL, 0, "write FOLDER/report.html anew instead", 1 },
	{ 0 },
};

static int keep_fault(struct chaos_options *options, const char *name)
{
	const char **faults = realloc(options->faults,
				      (options->fault_count + 1) * sizeof(*options->faults));

	if (faults == NULL)
		return ENOMEM;
	options->faults = faults;
	faults[options->fault_count++] = name;
	return 0;
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct chaos_options *options = state->input;
	const struct {
		int key;
		const char **text;
	} texts[] = {
		{ KEY_SUITE, &options->suite },
		{ 'F', &options->file },
		{ 'n', &options->jobs },
		{ 'D', &options->dispatchers },
		{ KEY_FOR, &options->for_time },
		{ KEY_SEED, &options->seed },
		{ KEY_HANDLER, &options->handler },
		{ 'o', &options->output },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].key == key) {
			*texts[i].text = arg;
			return 0;
		}
	}
	switch (key) {
	case 'f':
		return keep_fault(options, arg);
	case KEY_YES:
		options->yes = true;
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		state->child_inputs[1] = options->cli;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%.60s\" is one word too many", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_list(int key, char *arg, struct argp_state *state)
{
	struct chaos_options *options = state->input;

	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = options->cli;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "\"%.60s\" is one word too many", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static error_t parse_folder(int key, char *arg, struct argp_state *state)
{
	struct chaos_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		return 0;
	case KEY_HTML:
		options->html = true;
		return 0;
	case ARGP_KEY_ARG:
		if (options->folder != NULL)
			argp_error(state, "one folder is enough: \"%.60s\"", arg);
		options->folder = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which folder? The one that \"locum chaos run\" made");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child OUTPUT[] = { { &cli_output_argp, 0, NULL, 0 }, { 0 } };
static const struct argp_child BOTH[] = { { &cli_connection_argp, 0, NULL, 0 },
					  { &cli_output_argp, 0, NULL, 0 },
					  { 0 } };

static const struct argp LIST_ARGP = {
	.parser = parse_list,
	.children = OUTPUT,
	.doc = "Lists the faults: row of the catalogue, name, what it is played on, what is done.",
};
static const struct argp RUN_ARGP = {
	.options = RUN_OPTIONS,
	.parser = parse_run,
	.children = BOTH,
	.doc = "Starts a fleet on a database of its own, gives it work, does it harm, heals it, waits for the last job, "
	       "and judges what happened. Exit code 0: valid, 1: invalid, 2: unknown.",
};
static const struct argp CHECK_ARGP = {
	.parser = parse_folder,
	.children = OUTPUT,
	.args_doc = "FOLDER",
	.doc = "Judges the histories in a run's folder anew.",
};
static const struct argp REPORT_ARGP = {
	.options = REPORT_OPTIONS,
	.parser = parse_folder,
	.children = OUTPUT,
	.args_doc = "FOLDER",
	.doc = "Prints the report of a run.",
};

const struct verb_part chaos_options_parts[] = {
	[CHAOS_OPTIONS_LIST] = { "list", "list the faults", &LIST_ARGP },
	[CHAOS_OPTIONS_RUN] = { "run", "play a suite, a scenario, or some faults", &RUN_ARGP },
	[CHAOS_OPTIONS_CHECK] = { "check", "judge the histories of a run anew", &CHECK_ARGP },
	[CHAOS_OPTIONS_REPORT] = { "report", "print the report of a run", &REPORT_ARGP },
	{ 0 },
};

int chaos_options_read(struct cli *cli, int argc, char **argv, enum chaos_options_part *part,
		       struct chaos_options *options, struct error *err)
{
	static char name[64];

	*options = (struct chaos_options){ .cli = cli };
	if (argc < 2)
		return cli_usage(cli, err, "which action? list, run, check or report");
	if (argv[1][0] == '-') {
		cli_parse(&chaos_argp, argc, argv, NULL);
		return cli_usage(cli, err, "the action goes before the options");
	}
	for (int i = 0; chaos_options_parts[i].name != NULL; i++) {
		if (strcmp(chaos_options_parts[i].name, argv[1]) == 0) {
			*part = (enum chaos_options_part)i;
			snprintf(name, sizeof(name), "%s %s", argv[0], argv[1]);
			argv[1] = name;
			cli_parse(chaos_options_parts[i].argp, argc - 1, argv + 1, options);
			return 0;
		}
	}
	return cli_usage(cli, err, "there is no action \"%.60s\": list, run, check or report",
			 argv[1]);
}
