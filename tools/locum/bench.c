#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/locum/program.h"
#include "tools/locum/verb.h"

/* Options without a letter. */
enum { KEY_FULL = 0x200, KEY_LIST };
enum { SECTIONS_MAX = 64, WORDS_MAX = SECTIONS_MAX + 8 };

struct options {
	struct cli *cli;
	bool full;
	bool list;
	char *folder;
	char *sections[SECTIONS_MAX];
	int section_count;
};

static const struct argp_option OPTIONS[] = {
	{ "full", KEY_FULL, NULL, 0, "more and larger runs: two hours in place of 25 minutes", 1 },
	{ "output", 'o', "FOLDER", 0, "where the report, its plots and every single value go", 1 },
	{ "list", KEY_LIST, NULL, 0, "list the sections, and measure nothing", 1 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		return 0;
	case KEY_FULL:
		options->full = true;
		return 0;
	case KEY_LIST:
		options->list = true;
		return 0;
	case 'o':
		options->folder = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (options->section_count == SECTIONS_MAX)
			argp_error(state, "\"%.60s\" is one section too many", arg);
		options->sections[options->section_count++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child CHILDREN[] = { { &cli_output_argp, 0, NULL, 0 }, { 0 } };
const struct argp bench_argp = {
	.options = OPTIONS,
	.parser = parse,
	.args_doc = "[SECTION...]",
	.doc = "Measures locum, beside what it is compared with, on a PostgreSQL of its own. Exit code 0: every goal "
	       "was reached, 1: one was missed or a section failed.",
	.children = CHILDREN,
};

/* The script, as it was installed or in the tree that these programs were built in. */
static int find_script(const char *folder, char path[static PATH_MAX], struct error *err)
{
	static const char *const PLACES[] = { "../lib/locum/bench", "../..", "../../.." };

	for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
		if (snprintf(path, PATH_MAX, "%s/%s/tools/bench/run.sh", folder, PLACES[i]) <
			    PATH_MAX &&
		    access(path, X_OK) == 0)
			return 0;
	}
	return error_set(err, ERROR_FATAL,
			 "the benchmark is not installed: no %s/%s/tools/bench/run.sh", folder,
			 PLACES[0]);
}

/* The folder of this program, which the script takes the others from. */
static int find_programs(char folder[static PATH_MAX], struct error *err)
{
	char *program = program_sister("locum-bench", err);

	if (program == NULL)
		return -1;
	snprintf(folder, PATH_MAX, "%s", program);
	*strrchr(folder, '/') = '\0';
	free(program);
	return setenv("LOCUM_BENCH_BIN", folder, 1) == 0
		       ? 0
		       : error_set_errno(err, ERROR_FATAL, errno, "setenv");
}

int bench_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	static char script[PATH_MAX];
	char folder[PATH_MAX];
	struct options options = { .cli = cli };
	const char *words[WORDS_MAX + 1] = { script };
	int count = 1;

	cli_parse(&bench_argp, argc, argv, &options);
	if (find_programs(folder, err) != 0 || find_script(folder, script, err) != 0)
		return -1;
	if (options.list)
		words[count++] = "--list";
	if (options.full)
		words[count++] = "--full";
	if (cli->json)
		words[count++] = "--json";
	if (cli->quiet)
		words[count++] = "--quiet";
	if (options.folder != NULL) {
		words[count++] = "-o";
		words[count++] = options.folder;
	}
	for (int i = 0; i < options.section_count; i++)
		words[count++] = options.sections[i];
	execv(script, (char *const *)words);
	return error_set_errno(err, ERROR_FATAL, errno, "cannot run %s", script);
}
