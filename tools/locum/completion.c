#include <stdio.h>
#include <string.h>

#include "db/state.h"
#include "tools/locum/chaos_options.h"
#include "tools/locum/verb.h"

enum { WORD_SIZE = 64 };

static const struct {
	const char *name;
	const struct argp *argp;
} TABLE[] = {
#define ROW(name, help) { #name, &name##_argp },
	VERBS(ROW)
#undef ROW
};
enum { VERB_COUNT = sizeof(TABLE) / sizeof(TABLE[0]) };

/* What completes the argument of an option or of a verb: the end of the name of a function of the script. */
static const struct {
	const char *argument;
	const char *words;
} KINDS[] = {
	{ "STATE", "states" },
	{ "QUEUE", "queues" },
	{ "QUEUE...", "queues" },
	{ "HANDLER", "handlers" },
	{ "DISPATCHER...", "dispatchers" },
	{ "FILE", "files" },
	{ "COLUMN", "columns" },
	{ "FAULT", "faults" },
	{ "[SECTION...]", "sections" },
	{ "SCENARIO", "files" },
	{ "FOLDER", "files" },
	{ "PROGRAM", "files" },
	{ "success|failure|always=HANDLER", "then" },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **shell = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (*shell != NULL || strcmp(arg, "bash") != 0)
		argp_error(state, "there is a script for bash only, not for \"%.60s\"", arg);
	*shell = arg;
	return 0;
}

const struct argp completion_argp = {
	.parser = parse,
	.args_doc = "[bash]",
	.doc = "Prints a script for bash that completes command lines of locum: verbs, options, states, "
	       "and the queues, handlers and dispatchers that the database knows.",
};

/* As people type it: C has no dashes. */
static const char *typed(const char *name, char word[static WORD_SIZE])
{
	snprintf(word, WORD_SIZE, "%s", name);
	for (char *at = word; *at != '\0'; at++)
		if (*at == '_')
			*at = '-';
	return word;
}

static const char *kind_of(const char *argument)
{
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
		if (strcmp(KINDS[i].argument, argument) == 0)
			return KINDS[i].words;
	return NULL;
}

/* Calls `put` with each option of an argp and of its children. */
static void each_option(const struct argp *argp, void (*put)(const struct argp_option *option))
{
	const struct argp_option *option = argp->options;
	const struct argp_child *child = argp->children;

	for (; option != NULL && (option->name != NULL || option->doc != NULL); option++)
		if (option->name != NULL)
			put(option);
	for (; child != NULL && child->argp != NULL; child++)
		each_option(child->argp, put);
}

static void put_flag(const struct argp_option *option)
{
	printf(" --%s", option->name);
}

/* "a|b|c" as words. */
static void put_choices(const char *choices)
{
	fputs("_locum_reply '", stdout);
	for (; *choices != '\0'; choices++)
		putchar(*choices == '|' ? ' ' : *choices);
	putchar('\'');
}

/* A branch of the script: what may stand behind the option. */
static void put_argument(const struct argp_option *option)
{
	const char *words = option->arg == NULL ? NULL : kind_of(option->arg);

	if (option->arg == NULL || (option->flags & OPTION_ARG_OPTIONAL) != 0)
		return;
	printf("\t\t--%s", option->name);
	if (option->key > ' ' && option->key <= '~')
		printf(" | -%c", option->key);
	fputs(") ", stdout);
	if (words == NULL && strchr(option->arg, '|') != NULL)
		put_choices(option->arg);
	else
		printf("_locum_%s", words == NULL ? "nothing" : words);
	puts("; return ;;");
}

/* What may stand without an option. */
static void put_operand(const struct argp *argp)
{
	const char *args = argp->args_doc == NULL ? "" : argp->args_doc;
	char first[WORD_SIZE];
	const char *words;

	snprintf(first, sizeof(first), "%.*s", (int)strcspn(args, "\n "), args);
	words = kind_of(first);
	if (words != NULL)
		printf("\t\t_locum_%s\n", words);
	else if (argp == &completion_argp)
		puts("\t\t_locum_reply bash");
}

static void put_verb(const char *name, const struct argp *argp)
{
	printf("\t'%s')\n\t\tcase $previous in\n", name);
	each_option(argp, put_argument);
	fputs("\t\tesac\n\t\tif [[ $current == -* ]]; then\n\t\t\t_locum_reply '--help", stdout);
	each_option(argp, put_flag);
	puts("'\n\t\t\treturn\n\t\tfi");
	put_operand(argp);
	puts("\t\t;;");
}

/*
 * What the database knows is data: bash takes it into an array, compares it, and quotes it, and never expands it.
 * Of a list with commas the last word is completed.
 */
static const char HEAD[] = "# bash completion for locum, made by \"locum completion bash\"\n"
			   "_locum_offer() {\n"
			   "\tlocal word quoted\n"
			   "\tfor word in \"$@\"; do\n"
			   "\t\tprintf -v quoted %q \"$word\"\n"
			   "\t\tif [[ $word == \"$current\"* || $quoted == \"$current\"* ]]; then\n"
			   "\t\t\tCOMPREPLY+=(\"$before$quoted\")\n"
			   "\t\tfi\n"
			   "\tdone\n"
			   "}\n"
			   "_locum_reply() {\n"
			   "\tlocal words\n"
			   "\tIFS=' ' read -ra words <<< \"$1\"\n"
			   "\t_locum_offer \"${words[@]}\"\n"
			   "}\n"
			   "_locum_list() {\n"
			   "\tif [[ $current == *,* ]]; then\n"
			   "\t\tbefore=${current%,*},\n"
			   "\t\tcurrent=${current##*,}\n"
			   "\tfi\n"
			   "\t_locum_reply \"$1\"\n"
			   "}\n"
			   "_locum_nothing() { COMPREPLY=(); }\n"
			   "_locum_files() {\n"
			   "\tcompopt -o filenames 2> /dev/null\n"
			   "\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
			   "}\n"
			   "_locum_known() {\n"
			   "\tlocal words\n"
			   "\tmapfile -t words < <(locum \"$@\" 2> /dev/null)\n"
			   "\t_locum_offer \"${words[@]}\"\n"
			   "}\n"
			   "_locum_then() {\n"
			   "\tcompopt -o nospace 2> /dev/null\n"
			   "\t_locum_reply 'success= failure= always='\n"
			   "}\n"
			   "_locum_queues() { _locum_known queue list -q; }\n"
			   "_locum_dispatchers() { _locum_known workers -q; }\n"
			   "_locum_handlers() { _locum_known workers --handlers; }\n"
			   "_locum_faults() { _locum_known chaos list -q; }\n"
			   "_locum_sections() { _locum_known bench --list -q; }\n";

/* Readline takes "--option=value" and "success=handler" for three words. */
static const char MIDDLE[] =
	"_locum() {\n"
	"\tlocal at=$COMP_CWORD current=${COMP_WORDS[COMP_CWORD]} before=''\n"
	"\tlocal previous parts verb=${COMP_WORDS[1]}\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $current == = ]]; then\n"
	"\t\tcurrent=''\n"
	"\telif [[ ${COMP_WORDS[at - 1]} == = ]]; then\n"
	"\t\tat=$((at - 1))\n"
	"\tfi\n"
	"\tprevious=${COMP_WORDS[at - 1]}\n"
	"\tif [[ $at -ge 4 && ${COMP_WORDS[at]} == = && ${COMP_WORDS[at - 2]} == --then ||\n"
	"\t\t$at -ge 5 && ${COMP_WORDS[at]} == = && ${COMP_WORDS[at - 3]} == --then ]]; then\n"
	"\t\t_locum_handlers\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tif [[ $COMP_CWORD -eq 1 || ( $verb == help && $COMP_CWORD -eq 2 ) ]]; then\n"
	"\t\t_locum_reply \"$_locum_verbs\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tif [[ $verb == help && $COMP_CWORD -eq 3 ]]; then\n"
	"\t\t_locum_parts \"${COMP_WORDS[2]}\"\n"
	"\t\t_locum_reply \"$parts\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\t_locum_parts \"$verb\"\n"
	"\tif [[ -n $parts && $COMP_CWORD -eq 2 ]]; then\n"
	"\t\t_locum_reply \"$parts\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tif [[ -n $parts ]]; then\n"
	"\t\tverb=\"$verb ${COMP_WORDS[2]}\"\n"
	"\tfi\n"
	"\tcase $verb in\n";

static const char TAIL[] = "\tesac\n"
			   "}\n"
			   "complete -F _locum locum\n";

/* The verbs of a verb, or NULL. */
static const struct verb_part *parts_of(const char *verb)
{
	if (strcmp(verb, "queue") == 0)
		return queue_parts;
	return strcmp(verb, "chaos") == 0 ? chaos_options_parts : NULL;
}

/* A branch of the function that knows the verbs of a verb. */
static void put_part_names(const char *verb, const struct verb_part *part)
{
	if (part == NULL)
		return;
	printf("\t%s) parts='", verb);
	for (; part->name != NULL; part++)
		printf("%s ", part->name);
	puts("' ;;");
}

static void put_parts(const char *verb, const struct verb_part *part)
{
	char name[2 * WORD_SIZE];

	for (; part != NULL && part->name != NULL; part++) {
		snprintf(name, sizeof(name), "%s %s", verb, part->name);
		put_verb(name, part->argp);
	}
}

/* The words that a function or a variable of the script holds. */
static void put_words(void)
{
	char word[WORD_SIZE];

	fputs("_locum_states() { _locum_list '", stdout);
	for (enum state state = STATE_WAITING; state <= STATE_EXPIRED; state++)
		printf("%s ", state_name(state));
	fputs("'; }\n_locum_columns() { _locum_list '", stdout);
	for (size_t i = 0; list_column(i) != NULL; i++)
		printf("%s ", list_column(i));
	fputs("'; }\n_locum_verbs='help", stdout);
	for (size_t i = 0; i < VERB_COUNT; i++)
		printf(" %s", typed(TABLE[i].name, word));
	puts("'\n_locum_parts() {\n\tcase $1 in");
	for (size_t i = 0; i < VERB_COUNT; i++)
		put_part_names(typed(TABLE[i].name, word), parts_of(TABLE[i].name));
	puts("\t*) parts='' ;;\n\tesac\n}");
}

int completion_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	const char *shell = NULL;
	char word[WORD_SIZE];

	(void)cli;
	(void)err;
	cli_parse(&completion_argp, argc, argv, &shell);
	fputs(HEAD, stdout);
	put_words();
	fputs(MIDDLE, stdout);
	for (size_t i = 0; i < VERB_COUNT; i++)
		put_verb(typed(TABLE[i].name, word), TABLE[i].argp);
	for (size_t i = 0; i < VERB_COUNT; i++)
		put_parts(typed(TABLE[i].name, word), parts_of(TABLE[i].name));
	fputs(TAIL, stdout);
	return CLI_OK;
}
