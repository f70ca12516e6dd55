#include "dispatcher/config_complaint.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/nearest.h"
#include "base/text.h"

enum { WORD_MAX = 80 };

/* What libConfuse says, by the beginning of its format, and what is said instead around the one
 * word that the format takes. */
static const struct {
	const char *format;
	const char *before;
	const char *after;
} SENTENCES[] = {
	{ "missing equal sign", "= is missing between \"", "\" and its value" },
	{ "missing title", "a section needs a name: ", " \"NAME\" { … }" },
	{ "missing opening brace",
	  "{ is missing after the name of the section: ", " \"NAME\" { … }" },
	{ "attempt to append", "\"", "\" takes one value: write = instead of +=" },
	{ "found duplicate title", "the name of a section cannot be empty", NULL },
	{ "premature end", "the file ends in the middle of a setting", NULL },
	{ "invalid octal", "\"", "\" is no character: octal escapes end at \\377" },
	{ "bad escape", "\"", "\" is no escape: write \\\\ for a backslash" },
};
enum { SENTENCE_COUNT = sizeof(SENTENCES) / sizeof(SENTENCES[0]) };

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_hidden(const cfg_opt_t *opt)
{
	return opt->name[0] == CONFIG_COMPLAINT_HIDDEN;
}

/* The option whose single value libConfuse is about to read, or NULL. Both flags are set at its =, and
 * RESET falls with the value. */
static const char *awaited(const cfg_t *cfg)
{
	const cfg_flag_t waiting = CFGF_RESET | CFGF_MODIFIED;

	for (const cfg_opt_t *opt = cfg->opts; opt->name != NULL; opt++) {
		if ((opt->flags & waiting) == waiting && (opt->flags & CFGF_LIST) == 0)
			return opt->name;
	}
	return NULL;
}

static const char *nearest(const cfg_t *cfg, const char *name)
{
	const char *best = NULL;

	for (const cfg_opt_t *opt = cfg->opts; opt->name != NULL; opt++) {
		if (!is_hidden(opt))
			best = nearest_of(name, best, opt->name);
	}
	return best;
}

static void list_names(const cfg_t *cfg, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (const cfg_opt_t *opt = cfg->opts; opt->name != NULL && used < size; opt++) {
		if (!is_hidden(opt))
			used += (size_t)snprintf(out + used, size - used, "%s%s",
						 used == 0 ? "" : ", ", opt->name);
	}
}

/* The section that cfg is, after "in". */
static const char *place(const cfg_t *cfg)
{
	if (strcmp(cfg->name, "agent") == 0)
		return "an agent";
	return strcmp(cfg->name, "handler") == 0 ? "a handler" : "a configuration";
}

static void unknown(const cfg_t *cfg, const char *name, char *out, size_t size)
{
	const char *meant = nearest(cfg, name);
	char word[WORD_MAX];
	char names[ERROR_TEXT_MAX / 2];

	text_quote(name, word, sizeof(word));
	if (meant != NULL) {
		snprintf(out, size, "unknown setting \"%s\" in %s: did you mean \"%s\"?", word,
			 place(cfg), meant);
		return;
	}
	list_names(cfg, names, sizeof(names));
	snprintf(out, size, "unknown setting \"%s\" in %s, which has: %s", word, place(cfg), names);
}

/* A token, or the end of the file (""), where there should be something else. */
static void unexpected(const cfg_t *cfg, const char *token, char *out, size_t size)
{
	const char *key = awaited(cfg);
	char word[WORD_MAX];

	text_quote(token, word, sizeof(word));
	if (key != NULL && token[0] == '\0')
		snprintf(out, size, "the value of \"%s\" is missing at the end of the file", key);
	else if (key != NULL && token[0] == '{')
		snprintf(out, size, "\"%s\" takes one value, not a list", key);
	else if (key != NULL)
		snprintf(out, size, "the value of \"%s\" is missing before \"%s\"", key, word);
	else
		snprintf(
			out, size,
			"\"%s\" is not expected here: is a comma, a quote or a } missing before it?",
			word);
}

/* Says it with one of SENTENCES; false when there is none. */
static bool rephrase(const char *format, const char *name, char *out, size_t size)
{
	char word[WORD_MAX];

	for (size_t i = 0; i < SENTENCE_COUNT; i++) {
		if (!begins(format, SENTENCES[i].format))
			continue;
		if (SENTENCES[i].after == NULL) {
			snprintf(out, size, "%s", SENTENCES[i].before);
			return true;
		}
		text_quote(name, word, sizeof(word));
		snprintf(out, size, "%s%s%s", SENTENCES[i].before, word, SENTENCES[i].after);
		return true;
	}
	return false;
}

/* The one word that the formats known here take. */
static const char *first_word(const char *format, va_list args)
{
	const char *word;

	if (strstr(format, "%s") == NULL)
		return "";
	word = va_arg(args, const char *);
	return word == NULL ? "" : word;
}

void config_complaint_keep(cfg_t *cfg, const char *format, va_list args)
{
	char text[ERROR_TEXT_MAX];
	va_list again;
	const char *word;

	va_copy(again, args);
	word = first_word(format, again);
	if (begins(format, "no such option"))
		unknown(cfg, word, text, sizeof(text));
	else if (begins(format, "unexpected token") ||
		 (begins(format, "premature end") && awaited(cfg) != NULL))
		unexpected(cfg, word, text, sizeof(text));
	else if (!rephrase(format, word, text, sizeof(text)))
		vsnprintf(text, sizeof(text), format, args);
	va_end(again);
	if (cfg->comment == NULL && asprintf(&cfg->comment, "%d: %s", cfg->line, text) < 0)
		cfg->comment = NULL;
}

static const char *find_in(cfg_opt_t *opt)
{
	for (unsigned int i = 0; i < cfg_opt_size(opt); i++) {
		const cfg_t *section = cfg_opt_getnsec(opt, i);

		if (section != NULL && section->comment != NULL)
			return section->comment;
	}
	return NULL;
}

const char *config_complaint_find(cfg_t *root)
{
	const char *found = root->comment;

	for (cfg_opt_t *opt = root->opts; opt->name != NULL && found == NULL; opt++) {
		if (opt->type == CFGT_SEC)
			found = find_in(opt);
	}
	return found;
}

static int last_line(cfg_opt_t *opt, int line)
{
	for (unsigned int i = 0; i < cfg_opt_size(opt); i++) {
		const cfg_t *section = cfg_opt_getnsec(opt, i);

		if (section != NULL && section->line > line)
			line = section->line;
	}
	return line;
}

int config_complaint_line(cfg_t *root)
{
	int line = root->line;

	for (cfg_opt_t *opt = root->opts; opt->name != NULL; opt++) {
		if (opt->type == CFGT_SEC)
			line = last_line(opt, line);
	}
	return line;
}
