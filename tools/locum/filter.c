#include "tools/locum/filter.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "db/state.h"

static void add(struct argp_state *state, struct filter_values *values, const char *value)
{
	if (values->count == FILTER_VALUES)
		argp_error(state, "more than %d values for one option", FILTER_VALUES);
	else
		values->values[values->count++] = value;
}

/* Several states may be given at once. */
static void add_states(struct argp_state *state, struct filter *filter, const char *list)
{
	char *copy = strdup(list);
	char *rest = NULL;

	if (copy == NULL || filter->owned_count == FILTER_VALUES) {
		free(copy);
		argp_error(state, "more than %d values for one option", FILTER_VALUES);
		return;
	}
	filter->owned[filter->owned_count++] = copy;
	if (strtok_r(copy, ",", &rest) == NULL)
		add(state, &filter->states, "");
	else
		add(state, &filter->states, copy);
	for (char *name; (name = strtok_r(NULL, ",", &rest)) != NULL;)
		add(state, &filter->states, name);
}

static void read_time_kind(struct argp_state *state, struct filter *filter, const char *text)
{
	if (strcmp(text, "finished") != 0 && strcmp(text, "created") != 0)
		argp_error(state, "--time is created or finished, not \"%.60s\"", text);
	filter->by_end = strcmp(text, "finished") == 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct filter *filter = state->input;

	switch (key) {
	case 's':
		add_states(state, filter, arg);
		return 0;
	case 'Q':
		add(state, &filter->queues, arg);
		return 0;
	case 'H':
		add(state, &filter->handlers, arg);
		return 0;
	case 'l':
		add(state, &filter->labels, arg);
		return 0;
	case 'S':
		filter->since = arg;
		return 0;
	case 'U':
		filter->until = arg;
		return 0;
	case 't':
		read_time_kind(state, filter, arg);
		return 0;
	case 'e':
		filter->error = arg;
		return 0;
	case 'k':
		filter->key = arg;
		return 0;
	case 'u':
		filter->submitted_by = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ NULL, 0, NULL, 0, "Which jobs:", 2 },
	{ "state", 's', "STATE", 0, "in this state, or one of several with commas between them",
	  2 },
	{ "queue", 'Q', "QUEUE", 0, "of this queue; repeat it for several", 2 },
	{ "handler", 'H', "HANDLER", 0, "of this handler; repeat it for several", 2 },
	{ "label", 'l', "NAME=VALUE", 0, "with this label; repeat it for more", 2 },
	{ "since", 'S', "TIME", 0, "submitted then or later: \"1h\" ago, or RFC 3339", 2 },
	{ "until", 'U', "TIME", 0, "submitted then or earlier", 2 },
	{ "time", 't', "created|finished", 0, "what --since and --until are about (created)", 2 },
	{ "error", 'e', "TEXT", 0, "with this in the error, in whatever case", 2 },
	{ "key", 'k', "KEY", 0, "with this key", 2 },
	{ "submitted-by", 'u', "WHO", 0, "submitted by them", 2 },
	{ 0 },
};
const struct argp filter_argp = { .options = OPTIONS, .parser = parse };

bool filter_is_set(const struct filter *filter)
{
	return filter->states.count + filter->queues.count + filter->handlers.count +
			       filter->labels.count >
		       0 ||
	       filter->since != NULL || filter->until != NULL || filter->error != NULL ||
	       filter->key != NULL || filter->submitted_by != NULL;
}

/* The labels as the JSON object that jobs have to contain. */
static int make_labels(struct filter *filter, struct cli *cli, struct error *err)
{
	json_t *object = json_object();

	for (size_t i = 0; i < filter->labels.count; i++) {
		const char *label = filter->labels.values[i];
		const char *equals = strchr(label, '=');
		char *name = equals == NULL || equals == label
				     ? NULL
				     : strndup(label, (size_t)(equals - label));
		int set = name == NULL ? -1
				       : json_object_set_new(object, name, json_string(equals + 1));

		free(name);
		if (set != 0) {
			json_decref(object);
			return cli_usage(cli, err, "--label is NAME=VALUE, not \"%.60s\"", label);
		}
	}
	if (filter->labels.count > 0)
		filter->label_object = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return 0;
}

#define STATE(constant, name, class) " " name
#define EDGE(from, event, to)
static const char STATES[] =
#include "db/states.def"
	;
#undef STATE
#undef EDGE

int filter_check(struct filter *filter, struct cli *cli, struct error *err)
{
	enum state state;

	for (size_t i = 0; i < filter->states.count; i++)
		if (state_read(filter->states.values[i], &state) != 0)
			return cli_usage(cli, err, "there is no state \"%.60s\"; the states are%s",
					 filter->states.values[i], STATES);
	if (filter->by_end && filter->since == NULL && filter->until == NULL)
		return cli_usage(cli, err, "--time goes with --since or --until");
	return make_labels(filter, cli, err);
}

static int resolve_time(struct db *db, const char *option, const char *text, int64_t *moment,
			struct error *err)
{
	int64_t ago_ms;
	bool is_duration;

	if (text == NULL)
		return 0;
	is_duration = duration_read(text, &ago_ms, NULL) == 0;
	if (view_moment(db, is_duration ? NULL : text, is_duration ? ago_ms : 0, moment, err) == 0)
		return 0;
	return err->kind == ERROR_INPUT ? error_prefix(err, "%s", option) : -1;
}

static struct view_names names_of(const struct filter_values *values)
{
	return (struct view_names){ values->count == 0 ? NULL : values->values, values->count };
}

int filter_resolve(struct filter *filter, struct db *db, struct view_filter *resolved,
		   struct error *err)
{
	*resolved = (struct view_filter){
		.states = names_of(&filter->states),
		.queues = names_of(&filter->queues),
		.handlers = names_of(&filter->handlers),
		.labels = filter->label_object,
		.since = ARGS_TIME_FIRST,
		.until = ARGS_TIME_LAST,
		.by_end = filter->by_end,
		.error = filter->error,
		.key = filter->key,
		.submitted_by = filter->submitted_by,
	};
	if (resolve_time(db, "--since", filter->since, &resolved->since, err) != 0)
		return -1;
	return resolve_time(db, "--until", filter->until, &resolved->until, err);
}

void filter_fini(struct filter *filter)
{
	for (size_t i = 0; i < filter->owned_count; i++)
		free(filter->owned[i]);
	free(filter->label_object);
}
