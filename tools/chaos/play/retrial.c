#include "tools/chaos/play/retrial.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/chaos/history/array.h"
#include "tools/chaos/history/facts.h"
#include "tools/chaos/judge/checker.h"
#include "tools/chaos/plan/chance.h"
#include "tools/chaos/plan/origin.h"

enum { NAME_BYTES = 256 };

/* The run that is judged. */
struct retrial {
	const char *folder;
	struct facts *facts;
	struct plan plan;
	struct verdict_run *judged;
};

static void make_unknown(struct verdict *verdict, const char *why)
{
	verdict->valid = VERDICT_UNKNOWN;
	snprintf(verdict->why, sizeof(verdict->why), "%s", why);
}

/* --- an act ------------------------------------------------------------------------------------- */

/* Whether nothing is left to judge, as a run without an end leaves it. */
static bool is_pruned(const char *folder)
{
	char *histories = NULL;
	char *verdict = NULL;
	bool pruned = asprintf(&histories, "%s/database.log", folder) >= 0 &&
		      asprintf(&verdict, "%s/verdict.json", folder) >= 0 &&
		      access(histories, F_OK) != 0 && access(verdict, F_OK) == 0;

	free(histories);
	free(verdict);
	return pruned;
}

static struct verdict_act *add_act(struct verdict_run *judged, const char *folder,
				   struct error *err)
{
	const char *slash = strrchr(folder, '/');
	struct verdict_act *act = array_grow(&judged->acts, &judged->act_count,
					     sizeof(*judged->acts));

	if (act != NULL)
		act->name = strdup(slash == NULL ? folder : slash + 1);
	if (act == NULL || act->name == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	return act == NULL || act->name == NULL ? NULL : act;
}

/* What was told when the histories were there proves nothing now. */
static int read_pruned(const char *folder, struct verdict *verdict, struct error *err)
{
	if (verdict_read(verdict, folder, err) != 0)
		return -1;
	make_unknown(verdict,
		     "the histories of acts that were valid are not kept in a run without an end");
	return 0;
}

/* Two folders of one act would each pass for it. */
static void judge_name(const struct retrial *retrial, const struct plan_act *planned,
		       int64_t number, struct verdict_act *act)
{
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "%02" PRId64 "-%s", number, planned->name);
	if (strcmp(act->name, name) != 0 ||
	    (!retrial->plan.endless && number > (int64_t)retrial->plan.act_count))
		make_unknown(&act->verdict, "its folder is not called as one of the run's acts is");
}

/* NN-ACT: the NN-th that was played. */
static int judge_act(const struct retrial *retrial, const char *folder, struct error *err)
{
	const struct plan *plan = &retrial->plan;
	struct verdict_act *act = add_act(retrial->judged, folder, err);
	const int64_t number = act == NULL ? 0 : strtol(act->name, NULL, 10);
	const struct checker_terms terms = {
		.act = number < 1 ? NULL : &plan->acts[(size_t)(number - 1) % plan->act_count],
		.seed = chance_part(plan->seed, (uint64_t)number),
		.whole = !plan->endless && facts_number(retrial->facts, "cut_off", 0) != number,
		.lone = plan_is_lone(plan),
	};
	int status = -1;

	if (act == NULL)
		return -1;
	if (terms.act == NULL)
		return error_set(err, ERROR_INPUT, "%s: an act's folder begins with its number",
				 folder);
	if (plan->endless && is_pruned(folder))
		status = read_pruned(folder, &act->verdict, err);
	else
		status = checker_judge(folder, &terms, &act->verdict, err);
	if (status == 0 && act->verdict.valid == VERDICT_VALID)
		judge_name(retrial, terms.act, number, act);
	if (status == 0)
		verdict_add(&retrial->judged->whole, &act->verdict);
	return status;
}

/* --- the run ------------------------------------------------------------------------------------ */

/* Acts that are not there may have been anything. */
static void judge_missing(const struct retrial *retrial, size_t found, struct verdict *verdict)
{
	size_t acts = retrial->plan.act_count;

	if (verdict->valid != VERDICT_VALID)
		return;
	if (verdict->fault_count == 0) {
		make_unknown(verdict, "no fault was injected");
	} else if (!retrial->plan.endless &&
		   (facts_number(retrial->facts, "cut_off", 0) != 0 || found < acts)) {
		verdict->valid = VERDICT_UNKNOWN;
		snprintf(verdict->why, sizeof(verdict->why),
			 "the run was cut off: %zu of its %zu acts are there", found, acts);
	}
}

/* Without what was to be played, nothing that was played proves anything. */
static int open_retrial(struct retrial *retrial, const char *folder, struct error *err)
{
	retrial->folder = folder;
	retrial->facts = facts_read(folder, "run", err);
	if (retrial->facts == NULL)
		return -1;
	return origin_plan(folder, retrial->facts, &retrial->plan, err);
}

static void close_retrial(struct retrial *retrial)
{
	plan_fini(&retrial->plan);
	facts_free(retrial->facts);
}

static int judge_run(struct retrial *retrial, const glob_t *acts, struct error *err)
{
	int status = open_retrial(retrial, retrial->folder, err);

	for (size_t i = 0; i < acts->gl_pathc && status == 0; i++)
		status = judge_act(retrial, acts->gl_pathv[i], err);
	if (status == 0)
		judge_missing(retrial, acts->gl_pathc, &retrial->judged->whole);
	close_retrial(retrial);
	return status;
}

/* The folder of one act, whose run is the folder around it; or nothing that can be judged. */
static int judge_lone_act(struct retrial *retrial, struct error *err)
{
	char *folder = realpath(retrial->folder, NULL);
	char *slash = folder == NULL ? NULL : strrchr(folder, '/');
	char *act = folder == NULL ? NULL : strdup(folder);
	char *path = NULL;
	int status = -1;

	if (act == NULL || asprintf(&path, "%s/act", folder) < 0)
		path = NULL;
	if (path == NULL || access(path, R_OK) != 0) {
		error_set_errno(err, ERROR_INPUT, errno,
				"%s: no folder of a run or of an act of one", retrial->folder);
	} else {
		*slash = '\0';
		status = open_retrial(retrial, folder, err);
		if (status == 0)
			status = judge_act(retrial, act, err);
		close_retrial(retrial);
	}
	free(path);
	free(act);
	free(folder);
	return status;
}

struct verdict_run *retrial_judge(const char *folder, struct error *err)
{
	struct retrial retrial = { .folder = folder,
				   .judged = calloc(1, sizeof(*retrial.judged)) /* large */ };
	glob_t acts = { 0 };
	char *pattern = NULL;
	int status;

	if (retrial.judged == NULL || asprintf(&pattern, "%s/[0-9]*-*", folder) < 0) {
		error_set(err, ERROR_RETRY, "out of memory");
		free(retrial.judged);
		return NULL;
	}
	if (glob(pattern, GLOB_ONLYDIR, NULL, &acts) != 0)
		acts.gl_pathc = 0;
	free(pattern);
	status = acts.gl_pathc == 0 ? judge_lone_act(&retrial, err)
				    : judge_run(&retrial, &acts, err);
	globfree(&acts);
	if (status == 0)
		return retrial.judged;
	verdict_run_free(retrial.judged);
	return NULL;
}
