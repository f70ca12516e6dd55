#include "tools/chaos/plan/request.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/limits.h"
#include "base/text.h"
#include "tools/chaos/plan/chance.h"

enum { WORD_MAX = 80, NAME_SIZE = 64 };

/* --- which plan --------------------------------------------------------------------------------- */

static const struct fault *find_fault(const char *name, struct cli *cli, struct error *err)
{
	const struct fault *fault = fault_find(name);
	const char *best = fault == NULL ? fault_nearest(name) : NULL;
	char word[WORD_MAX];

	text_quote(name, word, sizeof(word));
	if (fault == NULL && best != NULL)
		cli_usage(cli, err, "there is no fault \"%s\": did you mean \"%s\"?", word, best);
	else if (fault == NULL)
		cli_usage(cli, err, "there is no fault \"%s\"; \"locum chaos list\" names them",
			  word);
	return fault;
}

static int plan_faults(struct chaos_options *options, struct plan *plan, struct error *err)
{
	const struct fault **faults = calloc(options->fault_count, sizeof(*faults));
	int status = faults == NULL ? error_set(err, ERROR_RETRY, "out of memory") : 0;

	for (size_t i = 0; status == 0 && i < options->fault_count; i++) {
		faults[i] = find_fault(options->faults[i], options->cli, err);
		status = faults[i] == NULL ? -1 : 0;
	}
	if (status == 0)
		status = plan_of_faults(plan, faults, options->fault_count, err);
	free(faults);
	return status;
}

static int choose_plan(struct chaos_options *options, struct plan *plan, struct error *err)
{
	int ways = (options->suite != NULL) + (options->file != NULL) + (options->fault_count > 0);

	if (ways > 1)
		return cli_usage(options->cli, err,
				 "--suite, --file and --fault exclude each other");
	if (options->fault_count > 0)
		return plan_faults(options, plan, err);
	if (options->file != NULL)
		return plan_read(plan, options->file, err);
	if (plan_suite(plan, options->suite == NULL ? "quick" : options->suite, err) == 0)
		return 0;
	if (plan->act_count == 0)
		options->cli->failure = CLI_USAGE;
	return -1;
}

/* --- what else was said ------------------------------------------------------------------------- */

static int read_number(struct chaos_options *options, const char *what, const char *text,
		       int64_t most, int64_t *number, struct error *err)
{
	return text == NULL ? 0 : cli_number(options->cli, what, text, 1, most, number, err);
}

static int read_dispatchers(struct chaos_options *options, int64_t *number, struct error *err)
{
	return options->dispatchers == NULL
		       ? 0
		       : cli_number(options->cli, "--dispatchers", options->dispatchers,
				    LIMIT_CHAOS_DISPATCHERS_LEAST, LIMIT_CHAOS_DISPATCHERS, number,
				    err);
}

static int read_for(struct chaos_options *options, int64_t *for_ms, struct error *err)
{
	if (options->for_time == NULL || duration_read(options->for_time, for_ms, err) == 0)
		return 0;
	return error_prefix(err, "--for");
}

/* All jobs are the user's, unless the scenario says how many. */
static void use_handler(const struct chaos_options *options, struct plan_act *act)
{
	if (options->handler == NULL || act->load.weights[PLAN_USER] > 0)
		return;
	memset(act->load.weights, 0, sizeof(act->load.weights));
	act->load.weights[PLAN_USER] = 1;
}

static int check_handler(struct chaos_options *options, struct error *err)
{
	const char *program = options->handler;
	struct stat file;

	if (program == NULL)
		return 0;
	if (program[0] != '/')
		return cli_usage(options->cli, err,
				 "--handler: write the whole path of the program, from /");
	if (stat(program, &file) == 0 && S_ISDIR(file.st_mode))
		return error_set(err, ERROR_INPUT, "--handler: %s is a folder", program);
	if (access(program, X_OK) == 0)
		return 0;
	return error_set_errno(err, ERROR_INPUT, errno, "--handler: cannot run %s", program);
}

static bool wants_user_handler(const struct plan *plan)
{
	for (size_t i = 0; i < plan->act_count; i++)
		if (plan->acts[i].load.weights[PLAN_USER] > 0)
			return true;
	return false;
}

static int override(struct chaos_options *options, struct plan *plan, int64_t *for_ms,
		    struct error *err)
{
	int64_t dispatchers = 0;
	int64_t seed = (int64_t)plan->seed;
	int64_t jobs = 0;

	if (read_number(options, "--jobs", options->jobs, LIMIT_CHAOS_JOBS, &jobs, err) != 0 ||
	    read_dispatchers(options, &dispatchers, err) != 0 ||
	    read_number(options, "--seed", options->seed, INT64_MAX, &seed, err) != 0 ||
	    read_for(options, for_ms, err) != 0 || check_handler(options, err) != 0)
		return -1;
	if (options->handler == NULL && wants_user_handler(plan))
		return cli_usage(options->cli, err,
				 "the scenario has jobs for your own handler (\"user\"): name it "
				 "with --handler");
	plan->seed = seed != 0 ? (uint64_t)seed : chance_seed() >> 1;
	plan->user_handler = options->handler;
	for (size_t i = 0; i < plan->act_count; i++) {
		struct plan_act *act = &plan->acts[i];

		if (jobs > 0)
			act->jobs = jobs;
		if (dispatchers > 0)
			act->dispatchers = (int)dispatchers;
		if (*for_ms > 0 && (!plan->endless || act->for_ms > *for_ms))
			act->for_ms = *for_ms;
		use_handler(options, act);
	}
	return 0;
}

int request_plan(struct chaos_options *options, struct plan *plan, int64_t *for_ms,
		 struct error *err)
{
	*plan = (struct plan){ 0 };
	*for_ms = 0;
	if (choose_plan(options, plan, err) != 0)
		return -1;
	return override(options, plan, for_ms, err);
}

/* --- where to ----------------------------------------------------------------------------------- */

static bool is_empty(const char *folder)
{
	DIR *dir = opendir(folder);
	int entries = 0;

	while (dir != NULL && entries <= 2 && readdir(dir) != NULL)
		entries++;
	if (dir != NULL)
		closedir(dir);
	return entries <= 2;
}

static void name_by_time(char *name)
{
	time_t now = time(NULL);
	struct tm parts;

	strftime(name, NAME_SIZE, "locum-chaos-%Y%m%d-%H%M%S", localtime_r(&now, &parts));
}

/* Witnesses run as other users, wherever this program was called. */
static char *make_folder(const char *name, struct error *err)
{
	char *folder;

	if (mkdir(name, 0755) != 0 && errno != EEXIST) {
		error_set_errno(err, ERROR_INPUT, errno, "--output: cannot make the folder %s",
				name);
		return NULL;
	}
	folder = realpath(name, NULL);
	if (folder == NULL)
		error_set_errno(err, ERROR_INPUT, errno, "--output: %s", name);
	return folder;
}

char *request_folder(const struct chaos_options *options, struct error *err)
{
	char by_time[NAME_SIZE];
	char *folder;

	name_by_time(by_time);
	folder = make_folder(options->output == NULL ? by_time : options->output, err);
	if (folder == NULL || is_empty(folder))
		return folder;
	error_set(err, ERROR_INPUT, "--output: the folder %s is not empty", folder);
	free(folder);
	return NULL;
}
