#include "tools/chaos/judge/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { PATH_MAX_BYTES = 4096 };

/* --- names -------------------------------------------------------------------------------------- */

#define VERDICT_ROW(name, word, text) { #name, word, text },
static const struct {
	const char *name;
	const char *word;
	const char *text;
} INVARIANT[] = { VERDICT_INVARIANTS(VERDICT_ROW) };
#undef VERDICT_ROW

const char *verdict_name(enum verdict_invariant invariant)
{
	return INVARIANT[invariant].name;
}

const char *verdict_word(enum verdict_invariant invariant)
{
	return INVARIANT[invariant].word;
}

/* --- the numbers of a verdict ------------------------------------------------------------------- */

enum merge { SUM, MOST };

/* A number of struct verdict, and how those of several acts become one. */
static const struct figure {
	const char *name;
	size_t offset;
	enum merge merge;
} FIGURES[] = {
#define FIGURE(name, merge)                                                                        \
	{                                                                                          \
#name, offsetof(struct verdict, name), merge                                       \
	}
	FIGURE(attempted, SUM),
	FIGURE(acknowledged, SUM),
	FIGURE(ended, SUM),
	FIGURE(completed, SUM),
	FIGURE(failed, SUM),
	FIGURE(cancelled, SUM),
	FIGURE(expired, SUM),
	FIGURE(lost, SUM),
	FIGURE(lost_by_failover, SUM),
	FIGURE(unexpected, SUM),
	FIGURE(duplicate_accepts, SUM),
	FIGURE(stale_accepts, SUM),
	FIGURE(orphans, SUM),
	FIGURE(leaked_claims, SUM),
	FIGURE(false_truths, SUM),
	FIGURE(recovered, SUM),
	FIGURE(submissions_unknown, SUM),
	FIGURE(submissions_resolved, SUM),
	FIGURE(commits_unknown, SUM),
	FIGURE(resolved_accepted, SUM),
	FIGURE(resolved_lost, SUM),
	FIGURE(unresolved, SUM),
	FIGURE(conflicts, SUM),
	FIGURE(reclaims, SUM),
	FIGURE(deaths_true, SUM),
	FIGURE(deaths_false, SUM),
	FIGURE(deaths_forced, SUM),
	FIGURE(completions_lost, SUM),
	FIGURE(pairs, SUM),
	FIGURE(half_pairs, SUM),
	FIGURE(crashes, SUM),
	FIGURE(reclaim_p50_ms, MOST),
	FIGURE(reclaim_p99_ms, MOST),
	FIGURE(reclaim_max_ms, MOST),
	FIGURE(overlaps, SUM),
	FIGURE(overlap_max_ms, MOST),
	FIGURE(paced, SUM),
	FIGURE(back_max_ms, MOST),
	FIGURE(untold, SUM),
	FIGURE(runs, SUM),
	FIGURE(skipped, SUM),
#undef FIGURE
};

enum { FIGURE_COUNT = sizeof(FIGURES) / sizeof(*FIGURES) };

static int64_t *figure_of(struct verdict *verdict, const struct figure *figure)
{
	return (int64_t *)(void *)((char *)verdict + figure->offset);
}

static int64_t figure_value(const struct verdict *verdict, const struct figure *figure)
{
	return *(const int64_t *)(const void *)((const char *)verdict + figure->offset);
}

/* --- making one --------------------------------------------------------------------------------- */

void verdict_violate(struct verdict *verdict, enum verdict_invariant invariant, const char *format,
		     ...)
{
	struct verdict_violations *violations = &verdict->of[invariant];
	va_list arguments;

	if (violations->count < VERDICT_EXAMPLES) {
		va_start(arguments, format);
		vsnprintf(violations->examples[violations->count], VERDICT_TEXT, format, arguments);
		va_end(arguments);
	}
	violations->count++;
}

static void keep_lost(struct verdict *verdict, const char *ids)
{
	size_t length = strlen(verdict->lost_ids);

	if (length + strlen(ids) < sizeof(verdict->lost_ids))
		memcpy(verdict->lost_ids + length, ids, strlen(ids) + 1);
}

void verdict_lose(struct verdict *verdict, int64_t job)
{
	char id[24];

	snprintf(id, sizeof(id), " %" PRId64, job);
	verdict->lost_by_failover++;
	keep_lost(verdict, id);
}

static void add_violations(struct verdict_violations *whole, const struct verdict_violations *act)
{
	for (int64_t i = 0; i < act->count && i < VERDICT_EXAMPLES; i++)
		if (whole->count + i < VERDICT_EXAMPLES)
			memcpy(whole->examples[whole->count + i], act->examples[i], VERDICT_TEXT);
	whole->count += act->count;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void add_fault(struct verdict *whole, const struct verdict_fault *fault)
{
	struct verdict_fault *same = NULL;

	for (size_t i = 0; i < whole->fault_count && same == NULL; i++)
		if (strcmp(whole->faults[i].name, fault->name) == 0)
			same = &whole->faults[i];
	if (same == NULL) {
		if (whole->fault_count < VERDICT_FAULTS)
			whole->faults[whole->fault_count++] = *fault;
		return;
	}
	same->injected += fault->injected;
	same->witnessed += fault->witnessed;
	same->broken += fault->broken;
	same->deaths += fault->deaths;
	same->reclaim_max_ms = most(same->reclaim_max_ms, fault->reclaim_max_ms);
	same->back_max_ms = most(same->back_max_ms, fault->back_max_ms);
}

/* An invalid act outweighs an unknown one. */
static bool is_worse(enum verdict_valid one, enum verdict_valid other)
{
	if (one == VERDICT_INVALID)
		return other != VERDICT_INVALID;
	return one == VERDICT_UNKNOWN && other == VERDICT_VALID;
}

void verdict_add(struct verdict *whole, const struct verdict *act)
{
	if (is_worse(act->valid, whole->valid)) {
		whole->valid = act->valid;
		memcpy(whole->why, act->why, sizeof(whole->why));
	}
	keep_lost(whole, act->lost_ids);
	for (int i = 0; i < VERDICT_INVARIANT_COUNT; i++)
		add_violations(&whole->of[i], &act->of[i]);
	for (size_t i = 0; i < FIGURE_COUNT; i++) {
		int64_t *sum = figure_of(whole, &FIGURES[i]);
		int64_t more = figure_value(act, &FIGURES[i]);

		*sum = FIGURES[i].merge == SUM ? *sum + more : most(*sum, more);
	}
	for (size_t i = 0; i < act->fault_count; i++)
		add_fault(whole, &act->faults[i]);
}

/* --- of a run ----------------------------------------------------------------------------------- */

const struct verdict *verdict_of_act(const struct verdict_run *run, const char *name)
{
	for (size_t i = 0; run != NULL && i < run->act_count; i++)
		if (strcmp(run->acts[i].name, name) == 0)
			return &run->acts[i].verdict;
	return NULL;
}

void verdict_run_free(struct verdict_run *run)
{
	if (run == NULL)
		return;
	for (size_t i = 0; i < run->act_count; i++)
		free(run->acts[i].name);
	free(run->acts);
	free(run);
}

/* --- on disk ------------------------------------------------------------------------------------ */

/* What is not UTF-8, a character cut in its middle for one, ends the text. */
static json_t *json_of_text(const char *text)
{
	return json_stringn(text, text_valid(text, strlen(text)));
}

static json_t *json_of_valid(const struct verdict *verdict)
{
	if (verdict->valid == VERDICT_UNKNOWN)
		return json_string("unknown");
	return json_boolean(verdict->valid == VERDICT_VALID);
}

static json_t *json_of_violations(const struct verdict *verdict)
{
	json_t *all = json_object();

	for (int i = 0; i < VERDICT_INVARIANT_COUNT; i++) {
		const struct verdict_violations *violations = &verdict->of[i];
		json_t *examples = json_array();

		for (int64_t at = 0; at < violations->count && at < VERDICT_EXAMPLES; at++)
			json_array_append_new(examples, json_of_text(violations->examples[at]));
		json_object_set_new(all, INVARIANT[i].name,
				    json_pack("{s:s, s:s, s:I, s:o}", "name", INVARIANT[i].word,
					      "forbids", INVARIANT[i].text, "count",
					      (json_int_t)violations->count, "examples", examples));
	}
	return all;
}

static json_t *json_of_faults(const struct verdict *verdict)
{
	json_t *all = json_array();

	for (size_t i = 0; i < verdict->fault_count; i++) {
		const struct verdict_fault *fault = &verdict->faults[i];

		json_array_append_new(
			all, json_pack("{s:s, s:i, s:i, s:i, s:i, s:I, s:I}", "name", fault->name,
				       "injected", fault->injected, "witnessed", fault->witnessed,
				       "broken", fault->broken, "deaths", fault->deaths,
				       "reclaim_max_ms", (json_int_t)fault->reclaim_max_ms,
				       "back_max_ms", (json_int_t)fault->back_max_ms));
	}
	return all;
}

static int verdict_path(char *path, const char *folder, const char *name, struct error *err)
{
	if (snprintf(path, PATH_MAX_BYTES, "%s/%s", folder, name) >= PATH_MAX_BYTES)
		return error_set(err, ERROR_INPUT, "%s: the path is too long", folder);
	return 0;
}

/* Under another name first, so that a verdict is there whole or not at all. */
static int store(json_t *root, const char *folder, struct error *err)
{
	char path[PATH_MAX_BYTES];
	char part[PATH_MAX_BYTES];

	if (verdict_path(path, folder, "verdict.json", err) != 0 ||
	    verdict_path(part, folder, "verdict.part", err) != 0)
		return -1;
	if (json_dump_file(root, part, JSON_INDENT(2) | JSON_PRESERVE_ORDER) != 0 ||
	    rename(part, path) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "%s", path);
	return 0;
}

json_t *verdict_json(const struct verdict *verdict)
{
	json_t *root = json_object();

	json_object_set_new(root, "valid", json_of_valid(verdict));
	json_object_set_new(root, "why", json_of_text(verdict->why));
	json_object_set_new(root, "invariants", json_of_violations(verdict));
	for (size_t i = 0; i < FIGURE_COUNT; i++)
		json_object_set_new(root, FIGURES[i].name,
				    json_integer((json_int_t)figure_value(verdict, &FIGURES[i])));
	json_object_set_new(root, "lost_ids", json_of_text(verdict->lost_ids));
	json_object_set_new(root, "faults", json_of_faults(verdict));
	return root;
}

int verdict_write(const struct verdict *verdict, const char *folder, struct error *err)
{
	json_t *root = verdict_json(verdict);
	int status = store(root, folder, err);

	json_decref(root);
	return status;
}

static void read_text(char *text, size_t size, const json_t *value)
{
	snprintf(text, size, "%s", json_is_string(value) ? json_string_value(value) : "");
}

static void read_violations(struct verdict *verdict, const json_t *all)
{
	for (int i = 0; i < VERDICT_INVARIANT_COUNT; i++) {
		const json_t *one = json_object_get(all, INVARIANT[i].name);
		const json_t *examples = json_object_get(one, "examples");

		verdict->of[i].count = json_integer_value(json_object_get(one, "count"));
		for (size_t at = 0; at < json_array_size(examples) && at < VERDICT_EXAMPLES; at++)
			read_text(verdict->of[i].examples[at], VERDICT_TEXT,
				  json_array_get(examples, at));
	}
}

static void read_faults(struct verdict *verdict, const json_t *all)
{
	for (size_t i = 0; i < json_array_size(all) && i < VERDICT_FAULTS; i++) {
		const json_t *one = json_array_get(all, i);
		struct verdict_fault *fault = &verdict->faults[verdict->fault_count++];

		read_text(fault->name, sizeof(fault->name), json_object_get(one, "name"));
		fault->injected = (int)json_integer_value(json_object_get(one, "injected"));
		fault->witnessed = (int)json_integer_value(json_object_get(one, "witnessed"));
		fault->broken = (int)json_integer_value(json_object_get(one, "broken"));
		fault->deaths = (int)json_integer_value(json_object_get(one, "deaths"));
		fault->reclaim_max_ms = json_integer_value(json_object_get(one, "reclaim_max_ms"));
		fault->back_max_ms = json_integer_value(json_object_get(one, "back_max_ms"));
	}
}

int verdict_read(struct verdict *verdict, const char *folder, struct error *err)
{
	char path[PATH_MAX_BYTES];
	json_error_t problem;
	json_t *root;
	const json_t *valid;

	if (verdict_path(path, folder, "verdict.json", err) != 0)
		return -1;
	root = json_load_file(path, 0, &problem);
	if (root == NULL && json_error_code(&problem) == json_error_cannot_open_file)
		return error_set_errno(err, ERROR_INPUT, errno,
				       "%s: no folder of a judged run: verdict.json", folder);
	if (root == NULL)
		return error_set(err, ERROR_INPUT, "%s:%d: %s", path, problem.line, problem.text);
	valid = json_object_get(root, "valid");
	if (valid == NULL) {
		json_decref(root);
		return error_set(err, ERROR_INPUT, "%s: it is no verdict", path);
	}
	memset(verdict, 0, sizeof(*verdict));
	verdict->valid = json_is_true(valid)    ? VERDICT_VALID
			 : json_is_false(valid) ? VERDICT_INVALID
						: VERDICT_UNKNOWN;
	read_text(verdict->why, sizeof(verdict->why), json_object_get(root, "why"));
	read_text(verdict->lost_ids, sizeof(verdict->lost_ids), json_object_get(root, "lost_ids"));
	read_violations(verdict, json_object_get(root, "invariants"));
	for (size_t i = 0; i < FIGURE_COUNT; i++)
		*figure_of(verdict, &FIGURES[i]) =
			json_integer_value(json_object_get(root, FIGURES[i].name));
	read_faults(verdict, json_object_get(root, "faults"));
	json_decref(root);
	return 0;
}
