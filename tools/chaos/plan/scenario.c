#include "tools/chaos/plan/scenario.h"

#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/duration.h"
#include "base/limits.h"
#include "base/nearest.h"
#include "base/text.h"
#include "tools/chaos/plan/braces.h"

enum { FILE_BYTES = 1024 * 1024, CHUNK = 65536, WORD_MAX = 80 };

struct reading {
	const char *path;
	struct plan *plan;
	struct error *err;
};

/* A value as it stands in the file. */
struct value {
	int line;
	char text[];
};

static int fail(const struct reading *reading, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(const struct reading *reading, int line, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return error_set(reading->err, ERROR_INPUT, "%s:%d: %s", reading->path, line, text);
}

static int out_of_memory(const struct reading *reading)
{
	return error_set(reading->err, ERROR_RETRY, "out of memory");
}

/* --- the parser --------------------------------------------------------------------------------- */

/* Called by libConfuse for each value. */
static int make_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	size_t size = strlen(text) + 1;
	struct value *value = malloc(sizeof(*value) + size);

	(void)opt;
	if (value == NULL)
		return -1;
	value->line = cfg->line;
	memcpy(value->text, text, size);
	*(void **)result = value;
	return 0;
}

/* libConfuse copies what it is given. Lists have no default; sections without a title are always there. */
#define SCENARIO_VALUE(name) CFG_PTR_CB(name, NULL, CFGF_NODEFAULT, make_value, free)
#define SCENARIO_LIST(name) CFG_PTR_CB(name, NULL, CFGF_NODEFAULT | CFGF_LIST, make_value, free)
#define SCENARIO_SHARED(intervals, load)                                                           \
	SCENARIO_VALUE("jobs"), SCENARIO_VALUE("dispatchers"), SCENARIO_VALUE("for"),              \
		SCENARIO_VALUE("random_pairs"), CFG_SEC("intervals", intervals, CFGF_NONE),        \
		CFG_SEC("load", load, CFGF_NONE)

/* libConfuse passes no argument of ours: the first complaint waits in the section's comment, which cfg_free releases. */
static void keep_complaint(cfg_t *cfg, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void keep_complaint(cfg_t *cfg, const char *format, va_list args)
{
	char text[ERROR_TEXT_MAX / 2];

	vsnprintf(text, sizeof(text), format, args);
	if (cfg->comment == NULL && asprintf(&cfg->comment, "%d: %s", cfg->line, text) < 0)
		cfg->comment = NULL;
}

static cfg_t *make_parser(void)
{
	cfg_opt_t intervals[] = { SCENARIO_VALUE("ping"),
				  SCENARIO_VALUE("death"),
				  SCENARIO_VALUE("grace"),
				  SCENARIO_VALUE("margin"),
				  SCENARIO_VALUE("scan"),
				  SCENARIO_VALUE("poll"),
				  CFG_END() };
	cfg_opt_t load[] = { SCENARIO_VALUE("clients"), SCENARIO_VALUE("rate"),
			     SCENARIO_VALUE("backlog"), SCENARIO_VALUE("batch"),
			     SCENARIO_LIST("handlers"), SCENARIO_VALUE("cancel"),
			     SCENARIO_VALUE("work"),    CFG_END() };
	cfg_opt_t act[] = { SCENARIO_SHARED(intervals, load), SCENARIO_VALUE("stage"),
			    SCENARIO_LIST("faults"), SCENARIO_LIST("pairs"), CFG_END() };
	cfg_opt_t top[] = { SCENARIO_SHARED(intervals, load), SCENARIO_VALUE("seed"),
			    SCENARIO_VALUE("endless"),
			    CFG_SEC("act", act, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
			    CFG_END() };
	cfg_t *root = cfg_init(top, CFGF_NONE);

	if (root != NULL)
		cfg_set_error_function(root, keep_complaint);
	return root;
}

static const char *find_complaint(const cfg_t *cfg)
{
	const char *found = cfg->comment;

	for (cfg_opt_t *opt = cfg->opts; opt->name != NULL && found == NULL; opt++)
		for (unsigned int i = 0; opt->type == CFGT_SEC && i < cfg_opt_size(opt); i++) {
			const cfg_t *section = cfg_opt_getnsec(opt, i);

			if (section != NULL && found == NULL)
				found = find_complaint(section);
		}
	return found;
}

/* --- values ------------------------------------------------------------------------------------- */

/* The value of a key, or NULL when the file does not set it. */
static const struct value *value_of(cfg_t *cfg, const char *key)
{
	const cfg_opt_t *opt = cfg_getopt(cfg, key);

	return opt == NULL || (opt->flags & CFGF_MODIFIED) == 0 ? NULL : cfg_getptr(cfg, key);
}

static int take_number(const struct reading *reading, cfg_t *cfg, const char *key, int64_t least,
		       int64_t most, int64_t *number)
{
	const struct value *value = value_of(cfg, key);
	char word[WORD_MAX];
	long long read;
	char *end;

	if (value == NULL)
		return 0;
	errno = 0;
	read = strtoll(value->text, &end, 10);
	if (end == value->text || *end != '\0' || errno != 0 || read < least || read > most)
		return fail(reading, value->line,
			    "%s: \"%s\" is not a whole number from %lld to %lld", key,
			    text_quote(value->text, word, sizeof(word)), (long long)least,
			    (long long)most);
	*number = read;
	return 0;
}

static int take_int(const struct reading *reading, cfg_t *cfg, const char *key, int least, int most,
		    int *number)
{
	int64_t wide = *number;

	if (take_number(reading, cfg, key, least, most, &wide) != 0)
		return -1;
	*number = (int)wide;
	return 0;
}

static int take_duration(const struct reading *reading, cfg_t *cfg, const char *key, int64_t *ms)
{
	const struct value *value = value_of(cfg, key);
	struct error why;

	if (value == NULL || duration_read(value->text, ms, &why) == 0)
		return 0;
	return fail(reading, value->line, "%s: %s", key, why.text);
}

static int take_bool(const struct reading *reading, cfg_t *cfg, const char *key, bool *truth)
{
	const struct value *value = value_of(cfg, key);

	if (value == NULL)
		return 0;
	*truth = strcmp(value->text, "true") == 0;
	if (!*truth && strcmp(value->text, "false") != 0)
		return fail(reading, value->line, "%s: true or false", key);
	return 0;
}

/* --- sections ----------------------------------------------------------------------------------- */

static int take_intervals(const struct reading *reading, cfg_t *cfg, struct plan_intervals *of)
{
	const struct {
		const char *key;
		int64_t *ms;
	} rows[] = {
		{ "ping", &of->ping_ms },   { "death", &of->death_ms },
		{ "grace", &of->grace_ms }, { "margin", &of->margin_ms },
		{ "scan", &of->scan_ms },   { "poll", &of->poll_ms },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (take_duration(reading, cfg, rows[i].key, rows[i].ms) != 0)
			return -1;
	return 0;
}

/* "service=3", or "service" for 1. */
static int take_weight(const struct reading *reading, const struct value *value, int *weights)
{
	size_t length = strcspn(value->text, "=");
	long weight = 1;
	char *end;

	if (value->text[length] == '=') {
		weight = strtol(value->text + length + 1, &end, 10);
		if (*end != '\0' || weight < 1 || weight > LIMIT_QUEUE_WEIGHT)
			return fail(reading, value->line,
				    "handlers: a weight is a number from 1 to %d",
				    LIMIT_QUEUE_WEIGHT);
	}
	for (int i = 0; i < PLAN_HANDLERS; i++) {
		if (strlen(plan_handler_names[i]) == length &&
		    strncmp(plan_handler_names[i], value->text, length) == 0) {
			weights[i] = (int)weight;
			return 0;
		}
	}
	return fail(
		reading, value->line,
		"handlers: \"%.*s\" is none of plugin, transaction, service, command, sql, user",
		(int)(length < WORD_MAX ? length : WORD_MAX), value->text);
}

static int take_load(const struct reading *reading, cfg_t *cfg, struct plan_load *load)
{
	unsigned int count = cfg_size(cfg, "handlers");

	if (take_int(reading, cfg, "clients", 1, LIMIT_CHAOS_CLIENTS, &load->clients) != 0 ||
	    take_int(reading, cfg, "rate", 0, INT_MAX, &load->rate) != 0 ||
	    take_int(reading, cfg, "backlog", 1, INT_MAX, &load->backlog) != 0 ||
	    take_int(reading, cfg, "batch", 1, LIMIT_SUBMIT_BATCH, &load->batch) != 0 ||
	    take_int(reading, cfg, "cancel", 0, 100, &load->cancel_percent) != 0 ||
	    take_duration(reading, cfg, "work", &load->work_ms) != 0)
		return -1;
	if (count > 0)
		memset(load->weights, 0, sizeof(load->weights));
	for (unsigned int i = 0; i < count; i++)
		if (take_weight(reading, cfg_getnptr(cfg, "handlers", i), load->weights) != 0)
			return -1;
	return 0;
}

static int take_shared(const struct reading *reading, cfg_t *cfg, struct plan_act *act)
{
	if (take_number(reading, cfg, "jobs", 1, LIMIT_CHAOS_JOBS, &act->jobs) != 0 ||
	    take_int(reading, cfg, "dispatchers", LIMIT_CHAOS_DISPATCHERS_LEAST,
		     LIMIT_CHAOS_DISPATCHERS, &act->dispatchers) != 0 ||
	    take_duration(reading, cfg, "for", &act->for_ms) != 0 ||
	    take_int(reading, cfg, "random_pairs", 0, LIMIT_CHAOS_PAIRS, &act->random_pairs) != 0 ||
	    take_intervals(reading, cfg_getsec(cfg, "intervals"), &act->intervals) != 0)
		return -1;
	return take_load(reading, cfg_getsec(cfg, "load"), &act->load);
}

/* --- acts --------------------------------------------------------------------------------------- */

static int take_stage(const struct reading *reading, cfg_t *cfg, enum stage_kind *stage)
{
	const struct value *value = value_of(cfg, "stage");
	const char *best = NULL;
	char word[WORD_MAX];

	if (value == NULL)
		return 0;
	for (int kind = 0; kind < STAGE_KINDS; kind++) {
		if (strcmp(fault_stage_name((enum stage_kind)kind), value->text) == 0) {
			*stage = (enum stage_kind)kind;
			return 0;
		}
		best = nearest_of(value->text, best, fault_stage_name((enum stage_kind)kind));
	}
	text_quote(value->text, word, sizeof(word));
	return fail(reading, value->line, "there is no stage \"%s\"%s%s%s", word,
		    best == NULL ? "" : ": did you mean \"", best == NULL ? "" : best,
		    best == NULL ? "" : "\"?");
}

static const struct fault *find_fault(const struct reading *reading, int line, const char *name,
				      enum stage_kind stage)
{
	const struct fault *fault = fault_find(name);
	const char *best = fault == NULL ? fault_nearest(name) : NULL;
	char word[WORD_MAX];

	text_quote(name, word, sizeof(word));
	if (fault == NULL)
		fail(reading, line, "there is no fault \"%s\"%s%s%s", word,
		     best == NULL ? "" : ": did you mean \"", best == NULL ? "" : best,
		     best == NULL ? "" : "\"?");
	else if (!plan_suits(fault, stage)) {
		fail(reading, line, "the fault \"%s\" is played on the stage \"%s\"", word,
		     fault_stage_name(fault->stage));
		return NULL;
	}
	return fault;
}

static int add_all(const struct reading *reading, struct plan_act *act)
{
	const struct fault *fault = NULL;

	while ((fault = fault_next(fault)) != NULL)
		if (fault->stage == act->stage &&
		    plan_add_bout(act, fault, NULL, reading->err) != 0)
			return -1;
	return 0;
}

static int take_fault(const struct reading *reading, const struct value *value,
		      struct plan_act *act)
{
	const struct fault *fault;

	if (strcmp(value->text, "all") == 0)
		return add_all(reading, act);
	fault = find_fault(reading, value->line, value->text, act->stage);
	return fault == NULL ? -1 : plan_add_bout(act, fault, NULL, reading->err);
}

/* "one + other" */
static int take_pair(const struct reading *reading, const struct value *value, struct plan_act *act)
{
	const char *plus = strstr(value->text, " + ");
	const struct fault *second;
	const struct fault *first;
	char name[WORD_MAX];

	if (plus == NULL || plus - value->text >= WORD_MAX)
		return fail(reading, value->line, "pairs: write \"ONE + OTHER\"");
	snprintf(name, sizeof(name), "%.*s", (int)(plus - value->text), value->text);
	first = find_fault(reading, value->line, name, act->stage);
	second = first == NULL ? NULL
			       : find_fault(reading, value->line, plus + strlen(" + "), act->stage);
	if (second == NULL)
		return -1;
	if (first == second)
		return fail(reading, value->line, "pairs: \"%s\" with itself", name);
	if (first->lonely || second->lonely)
		return fail(reading, value->line, "pairs: \"%s\" overlaps with none",
			    first->lonely ? first->name : second->name);
	return plan_add_bout(act, first, second, reading->err);
}

static int take_bouts(const struct reading *reading, cfg_t *cfg, struct plan_act *act)
{
	for (unsigned int i = 0; i < cfg_size(cfg, "faults"); i++)
		if (take_fault(reading, cfg_getnptr(cfg, "faults", i), act) != 0)
			return -1;
	for (unsigned int i = 0; i < cfg_size(cfg, "pairs"); i++)
		if (take_pair(reading, cfg_getnptr(cfg, "pairs", i), act) != 0)
			return -1;
	return 0;
}

static int take_act(const struct reading *reading, cfg_t *cfg, const struct plan_act *like)
{
	struct plan_act *act = plan_add_act(reading->plan, like, strdup(cfg_title(cfg)));

	if (act == NULL)
		return out_of_memory(reading);
	if (act->name[0] == '\0' ||
	    strspn(act->name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(act->name))
		return fail(reading, cfg->line, "the name of an act is made of a-z, 0-9, - and _");
	if (take_shared(reading, cfg, act) != 0 || take_stage(reading, cfg, &act->stage) != 0 ||
	    take_bouts(reading, cfg, act) != 0)
		return -1;
	if (plan_check_act(act, reading->err) == 0)
		return 0;
	return error_prefix(reading->err, "%s: act \"%s\"", reading->path, act->name);
}

static int take_all(const struct reading *reading, cfg_t *root)
{
	struct plan_act like = plan_default;
	int64_t seed = 0;

	if (take_shared(reading, root, &like) != 0 ||
	    take_number(reading, root, "seed", 0, INT64_MAX, &seed) != 0 ||
	    take_bool(reading, root, "endless", &reading->plan->endless) != 0)
		return -1;
	reading->plan->seed = (uint64_t)seed;
	if (cfg_size(root, "act") == 0)
		return error_set(reading->err, ERROR_INPUT,
				 "%s: a scenario needs an act: act \"NAME\" { faults = {…} }",
				 reading->path);
	for (unsigned int i = 0; i < cfg_size(root, "act"); i++)
		if (take_act(reading, cfg_getnsec(root, "act", i), &like) != 0)
			return -1;
	return 0;
}

/* --- texts -------------------------------------------------------------------------------------- */

static int parse(const struct reading *reading, cfg_t *root, char *text)
{
	const char *complaint;

	if (braces_check(reading->path, text, reading->err) != 0)
		return -1;
	if (cfg_parse_buf(root, text) == CFG_SUCCESS)
		return take_all(reading, root);
	complaint = find_complaint(root);
	if (complaint == NULL)
		return fail(reading, root->line, "a key is expected here");
	return error_set(reading->err, ERROR_INPUT, "%s:%s", reading->path, complaint);
}

int scenario_parse(struct plan *plan, const char *name, const char *path, const char *text,
		   struct error *err)
{
	struct reading reading = { path, plan, err };
	cfg_t *root = make_parser();
	char *own = strdup(text);
	int status;

	*plan = (struct plan){ .name = strdup(name), .text = strdup(text) };
	if (root == NULL || plan->name == NULL || plan->text == NULL || own == NULL)
		status = out_of_memory(&reading);
	else
		status = parse(&reading, root, own);
	free(own);
	if (root != NULL)
		cfg_free(root);
	return status;
}

static int read_text(struct buffer *text, FILE *file, const char *path, struct error *err)
{
	size_t got = CHUNK;

	while (got > 0) {
		char *room = buffer_reserve(text, CHUNK, err);

		if (room == NULL)
			return error_prefix(err, "%s", path);
		got = fread(room, 1, CHUNK, file);
		text->end += got;
	}
	if (ferror(file))
		return error_set_errno(err, ERROR_INPUT, errno, "cannot read %s", path);
	if (memchr(buffer_bytes(text), '\0', buffer_length(text)) != NULL)
		return error_set(err, ERROR_INPUT, "%s holds a NUL byte", path);
	return buffer_append(text, "", 1, err);
}

/* "my.conf" of "/some/my.conf". */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

int scenario_read(struct plan *plan, const char *path, struct error *err)
{
	FILE *file = fopen(path, "re");
	struct buffer text;
	int status = -1;

	*plan = (struct plan){ 0 };
	if (file == NULL)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot open %s", path);
	buffer_init(&text, FILE_BYTES + CHUNK);
	if (read_text(&text, file, path, err) == 0)
		status = scenario_parse(plan, name_of(path), path, buffer_bytes(&text), err);
	buffer_free(&text);
	fclose(file);
	return status;
}
