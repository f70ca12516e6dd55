#include "tools/chaos/plan/origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "tools/chaos/sql.h"
#include "tools/chaos/stage/scratch.h"

static const char *suite_text(const char *name)
{
	for (const struct embedded_sql *suite = EMBEDDED_SUITES; suite->name != NULL; suite++)
		if (strcmp(suite->name, name) == 0)
			return suite->text;
	return NULL;
}

/* A file may have the name of a suite of another version. */
static int judge_suite(const struct facts *facts, const struct plan *plan, struct error *err)
{
	const char *name = facts_text(facts, "suite");
	const char *text = suite_text(name);

	if (text == NULL || strcmp(facts_text(facts, "version"), LOCUM_VERSION) != 0 ||
	    strcmp(text, plan->text) == 0)
		return 0;
	return error_set(err, ERROR_INPUT, "scenario.conf is not the suite %.60s", name);
}

static int of_scenario(const char *folder, const struct facts *facts, struct plan *plan,
		       struct error *err)
{
	char *path = NULL;
	int status;

	if (asprintf(&path, "%s/scenario.conf", folder) < 0)
		return error_set(err, ERROR_RETRY, "out of memory");
	status = plan_read(plan, path, err);
	free(path);
	return status != 0 ? -1 : judge_suite(facts, plan, err);
}

static int of_faults(const char *names, struct plan *plan, struct error *err)
{
	char *text = strdup(names);
	const struct fault **faults = calloc(strlen(names) + 1, sizeof(*faults));
	char *rest = text;
	size_t count = 0;
	int status = 0;
	const char *name;

	if (text == NULL || faults == NULL)
		status = error_set(err, ERROR_RETRY, "out of memory");
	while (status == 0 && (name = strsep(&rest, " ")) != NULL) {
		faults[count] = fault_find(name);
		if (faults[count++] == NULL)
			status = error_set(err, ERROR_INPUT, "there is no fault \"%.60s\"", name);
	}
	if (status == 0)
		status = plan_of_faults(plan, faults, count, err);
	free(faults);
	free(text);
	return status;
}

int origin_plan(const char *folder, const struct facts *facts, struct plan *plan, struct error *err)
{
	const char *faults = facts_text(facts, "faults");

	*plan = (struct plan){ 0 };
	if ((faults[0] != '\0' ? of_faults(faults, plan, err)
			       : of_scenario(folder, facts, plan, err)) != 0)
		return -1;
	if (facts_number(facts, "scratch", 0) != 0 && scratch_spare(plan, err) != 0)
		return -1;
	plan->seed = strtoull(facts_text(facts, "seed"), NULL, 10);
	return plan->act_count > 0 ? 0 : error_set(err, ERROR_INPUT, "nothing was to be played");
}
