#include "dispatcher/options.h"

#include <argp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"

/* Keys of options without a letter. Each setting has two: to give it, and --no-… for a boolean. */
enum {
	KEY_CHECK = 256,
	KEY_HELP,
	KEY_VERSION,
	KEY_SETTING = 512,
	KEY_NO_SETTING = KEY_SETTING + CONFIG_SETTING_COUNT,
	KEY_END = KEY_NO_SETTING + CONFIG_SETTING_COUNT,
};

enum {
	OWN_ROWS = 6, /* those below but the settings */
	ROWS_MAX = OWN_ROWS + 2 * CONFIG_SETTING_COUNT + 1,
	NAME_SIZE = CONFIG_ORIGIN_NAME_SIZE,
};
enum { GROUP_FIRST = 1, GROUP_SETTINGS, GROUP_LAST };

static const char TRUE[] = "true";
static const char FALSE[] = "false";

/* The options as argp wants them, and the names that they point to. */
struct table {
	struct argp_option rows[ROWS_MAX];
	size_t count;
	char names[2 * CONFIG_SETTING_COUNT][NAME_SIZE];
	size_t name_count;
};

struct reading {
	const struct table *table;
	struct options *options;
	struct error *err;
};

/* "--" is left out: argp adds it. */
static const char *flag_name(struct table *table, const char *prefix, const char *key)
{
	char *name = table->names[table->name_count++];

	snprintf(name, NAME_SIZE, "%s%s", prefix, key);
	for (char *letter = name; *letter != '\0'; letter++) {
		if (*letter == '_')
			*letter = '-';
	}
	return name;
}

static void add(struct table *table, struct argp_option row)
{
	table->rows[table->count++] = row;
}

static void add_setting(struct table *table, int index)
{
	const struct config_setting *setting = &config_setting_all[index];
	int letter = strcmp(setting->key, "database") == 0 ? 'd' : KEY_SETTING + index;

	add(table, (struct argp_option){ .name = flag_name(table, "", setting->key),
					 .key = letter,
					 .arg = setting->meta,
					 .doc = setting->help,
					 .group = GROUP_SETTINGS });
	if (setting->type == CONFIG_BOOLEAN)
		add(table, (struct argp_option){ .name = flag_name(table, "no-", setting->key),
						 .key = KEY_NO_SETTING + index,
						 .flags = OPTION_ALIAS });
}

static void fill(struct table *table)
{
	memset(table, 0, sizeof(*table));
	add(table,
	    (struct argp_option){ "config", 'c', "FILE", 0,
				  "read FILE instead of " CONFIG_DEFAULT_FILE, GROUP_FIRST });
	add(table, (struct argp_option){ "check", KEY_CHECK, NULL, 0,
					 "check the configuration, print the effective values and "
					 "where each comes from, and exit",
					 GROUP_FIRST });
	add(table,
	    (struct argp_option){ .doc = "Settings, which go before those of the environment "
					 "(LOCUM_POLL_INTERVAL …) and of the file:",
				  .group = GROUP_SETTINGS });
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++)
		add_setting(table, i);
	add(table,
	    (struct argp_option){ "help", KEY_HELP, NULL, 0, "show this and exit", GROUP_LAST });
	add(table, (struct argp_option){ "version", KEY_VERSION, NULL, 0,
					 "show the version and exit", GROUP_LAST });
}

/* The last of two flags for one setting counts. */
static void override(struct options *options, int index, const char *value)
{
	const char *key = config_setting_all[index].key;
	size_t i = 0;

	while (i < options->override_count && strcmp(options->overrides[i].key, key) != 0)
		i++;
	options->overrides[i] = (struct config_override){ key, value };
	if (i == options->override_count)
		options->override_count++;
}

static int setting_index(const char *key)
{
	return (int)(config_setting_find(key) - config_setting_all);
}

static error_t take_setting(struct options *options, int key, const char *arg)
{
	if (key >= KEY_SETTING && key < KEY_NO_SETTING)
		override(options, key - KEY_SETTING, arg == NULL ? TRUE : arg);
	else if (key >= KEY_NO_SETTING && key < KEY_END)
		override(options, key - KEY_NO_SETTING, FALSE);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

/* How many options begin with the name, up to its "=". */
static int matches(const struct table *table, const char *name, const struct argp_option **match)
{
	size_t length = strcspn(name, "=");
	int found = 0;

	for (size_t i = 0; i < table->count; i++) {
		const char *candidate = table->rows[i].name;

		if (candidate == NULL || strncmp(candidate, name, length) != 0)
			continue;
		*match = &table->rows[i];
		if (candidate[length] == '\0')
			return 1;
		found++;
	}
	return found;
}

static const char *nearest(const struct table *table, const char *name)
{
	const char *best = NULL;

	for (size_t i = 0; i < table->count; i++)
		best = nearest_of(name, best, table->rows[i].name);
	return best;
}

/* argp says only that something is wrong with this argument. */
static void explain_long(const struct reading *reading, const char *word, const char *quoted)
{
	const struct argp_option *match = NULL;
	int found = matches(reading->table, word + 2, &match);
	const char *meant = nearest(reading->table, word + 2);

	if (found > 1)
		error_set(reading->err, ERROR_INPUT, "option %s is ambiguous: write it in full",
			  quoted);
	else if (found == 1 && strchr(word, '=') != NULL)
		error_set(reading->err, ERROR_INPUT, "option --%s takes no value", match->name);
	else if (found == 1)
		error_set(reading->err, ERROR_INPUT, "option --%s needs a value: --%s %s",
			  match->name, match->name, match->arg == NULL ? "" : match->arg);
	else if (meant != NULL)
		error_set(reading->err, ERROR_INPUT, "unknown option %s: did you mean --%s?",
			  quoted, meant);
	else
		error_set(reading->err, ERROR_INPUT, "unknown option %s: see --help", quoted);
}

static void explain(const struct reading *reading, const char *word)
{
	char quoted[128];

	text_quote(word, quoted, sizeof(quoted));
	if (strncmp(word, "--", 2) == 0)
		explain_long(reading, word, quoted);
	else if (strcmp(word, "-c") == 0 || strcmp(word, "-d") == 0)
		error_set(reading->err, ERROR_INPUT, "option %s needs a value", quoted);
	else
		error_set(reading->err, ERROR_INPUT, "unknown option %s: see --help", quoted);
}

/* The argument that argp stopped at. It has passed it, but for letters that begin one argument: as all
 * known letters take the rest as their value, the first is then unknown. */
static const char *culprit(const struct argp_state *state)
{
	const char *next = state->next < state->argc ? state->argv[state->next] : "";

	if (next[0] == '-' && next[1] != '-' && strchr("cd", next[1]) == NULL && strlen(next) > 2)
		return next;
	return state->argv[state->next - 1];
}

static error_t refuse_argument(const struct reading *reading, const char *arg)
{
	char quoted[128];

	error_set(reading->err, ERROR_INPUT,
		  "unexpected argument \"%s\": locumd takes options only",
		  text_quote(arg, quoted, sizeof(quoted)));
	return EINVAL;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct reading *reading = state->input;
	struct options *options = reading->options;

	switch (key) {
	case 'c':
		options->file = arg;
		return 0;
	case 'd':
		override(options, setting_index("database"), arg);
		return 0;
	case KEY_CHECK:
		options->action = OPTIONS_CHECK;
		return 0;
	case KEY_HELP:
		options->action = OPTIONS_HELP;
		return 0;
	case KEY_VERSION:
		options->action = OPTIONS_VERSION;
		return 0;
	case ARGP_KEY_ARG:
		return refuse_argument(reading, arg);
	case ARGP_KEY_ERROR:
		if (reading->err->kind == ERROR_NONE && state->next > 0)
			explain(reading, culprit(state));
		return 0;
	default:
		return take_setting(options, key, arg);
	}
}

/* --help and --version win over what stands beside them. */
int options_read(struct options *options, int argc, char **argv, struct error *err)
{
	struct table table;
	struct options made = { .action = OPTIONS_RUN };
	struct error problem = { .kind = ERROR_NONE };
	struct reading reading = { &table, &made, &problem };
	struct argp argp = { .options = table.rows, .parser = take };
	const unsigned flags = ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP;

	fill(&table);
	if (argp_parse(&argp, argc, argv, flags, NULL, &reading) != 0) {
		if (problem.kind == ERROR_NONE)
			return error_set(err, ERROR_INPUT,
					 "the options cannot be read: see --help");
		return error_set(err, ERROR_INPUT, "%s", problem.text);
	}
	*options = made;
	return 0;
}

void options_help(FILE *out)
{
	char name[] = "locumd";
	struct table table;
	const struct argp argp = {
		.options = table.rows,
		.doc = "Dispatches the jobs of a PostgreSQL database to handlers on this machine.\v"
		       "Times take ms, s, m, h and d, as in 250ms or 1h30m. SIGTERM drains and stops, "
		       "a second SIGTERM stops at once. See locumd(8) and locumd.conf(5).",
	};

	fill(&table);
	argp_help(&argp, out, ARGP_HELP_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, name);
}
