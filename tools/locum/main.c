#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/nearest.h"
#include "base/version.h"
#include "tools/locum/cli.h"
#include "tools/locum/verb.h"

struct verb {
	const char *name;
	const char *help;
	verb_run *run;
};

static const struct verb TABLE[] = {
#define VERB_ROW(name, help) { #name, help, name##_run },
	VERBS(VERB_ROW)
#undef VERB_ROW
};
enum { VERB_COUNT = sizeof(TABLE) / sizeof(TABLE[0]) };

enum { VERB_NAME_SIZE = 32 };

/* As people type it: C has no dashes. */
static const char *typed_name(const struct verb *verb, char name[static VERB_NAME_SIZE])
{
	snprintf(name, VERB_NAME_SIZE, "%s", verb->name);
	for (char *at = name; *at != '\0'; at++)
		if (*at == '_')
			*at = '-';
	return name;
}

static const struct verb *find_verb(const char *name)
{
	char typed[VERB_NAME_SIZE];

	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(typed_name(&TABLE[i], typed), name) == 0)
			return &TABLE[i];
	return NULL;
}

static void print_help(FILE *out)
{
	char name[VERB_NAME_SIZE];

	fputs("Usage: locum VERB [OPTION...]\n"
	      "Submits jobs to a fleet of workers on PostgreSQL, and looks after them.\n\n",
	      out);
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(out, "  %-12s %s\n", typed_name(&TABLE[i], name), TABLE[i].help);
	fputs("\n\"locum help VERB\" explains a verb; \"locum --version\" tells the version.\n"
	      "The database is -d CONNINFO, or LOCUM_DATABASE_URL, DATABASE_URL, the PG* variables,\n"
	      "or else the private one of \"locum up\".\n",
	      out);
}

static int stop_fd(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void ignore_pipes(void)
{
	signal(SIGPIPE, SIG_IGN);
}

static int unknown_verb(const char *name)
{
	const struct verb *near = NULL;
	char typed[VERB_NAME_SIZE];

	for (size_t i = 0; i < VERB_COUNT; i++) {
		const char *best = near == NULL ? NULL : near->name;

		if (nearest_of(name, best, TABLE[i].name) != best)
			near = &TABLE[i];
	}
	if (name[0] == '-')
		cli_say("the verb comes first, then its options such as %.60s; \"locum help\" lists "
			"the verbs",
			name);
	else if (near == NULL)
		cli_say("there is no verb \"%.60s\"; \"locum help\" lists them", name);
	else
		cli_say("there is no verb \"%.60s\"; did you mean \"%s\"?", name,
			typed_name(near, typed));
	return CLI_USAGE;
}

/* What was printed must have arrived. A reader that went away does not mind. */
static int finish_output(int status)
{
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
		return status;
	cli_say("cannot write the output: %s", strerror(errno));
	return status == CLI_OK ? CLI_NEGATIVE : status;
}

static int run(const struct verb *verb, int argc, char **argv, const char *program)
{
	struct cli cli = { .program = program, .stop_fd = stop_fd, .ignore_pipes = ignore_pipes };
	struct error err = { .kind = ERROR_NONE };
	char typed[VERB_NAME_SIZE];
	char name[sizeof("locum ") + VERB_NAME_SIZE];
	int status;

	snprintf(name, sizeof(name), "locum %s", typed_name(verb, typed));
	argv[0] = name;
	status = verb->run(&cli, argc, argv, &err);
	if (status < 0) {
		cli_say("%s", err.text);
		status = cli.failure != 0 ? cli.failure : cli_exit_code(&err);
	}
	return finish_output(status);
}

/* "locum help VERB" is "locum VERB --help"; so too for a verb of a verb. */
static int help(int argc, char **argv)
{
	char option[] = "--help";
	char *args[] = { argv[0], argc > 2 ? argv[2] : option, option, NULL };
	const struct verb *verb;

	if (argc < 2) {
		print_help(stdout);
		return finish_output(CLI_OK);
	}
	verb = find_verb(argv[1]);
	return verb == NULL ? unknown_verb(argv[1]) : run(verb, argc > 2 ? 3 : 2, args, argv[0]);
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	/* What the database gives is UTF-8, whatever the environment says or leaves out. */
	if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("locum " LOCUM_VERSION);
		return finish_output(CLI_OK);
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return help(argc - 1, argv + 1);
	verb = find_verb(argv[1]);
	if (verb == NULL)
		return unknown_verb(argv[1]);
	return run(verb, argc - 1, argv + 1, argv[0]);
}
