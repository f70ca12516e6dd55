/* locum-bench: empties a table of jobs that tools/bench/run.sh has filled, and tells how fast. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tools/bench/race.h"

static const struct option OPTIONS[] = {
	{ "database", required_argument, NULL, 'd' },
	{ "connections", required_argument, NULL, 'c' },
	{ "batch", required_argument, NULL, 'b' },
	{ NULL, 0, NULL, 0 },
};

static const char USAGE[] =
	"usage: locum-bench -d CONNINFO [--connections N] [--batch N] bare|locum\n"
	"Prints the jobs it completed and the seconds it took.\n";

enum { EXIT_USAGE = 64, CONNECTIONS_DEFAULT = 2 };

/* Returns 0 when text is no number from 1 to `most`. */
static int read_number(const char *text, int most)
{
	char *end;
	long number = strtol(text, &end, 10);

	return *text != '\0' && *end == '\0' && number >= 1 && number <= most ? (int)number : 0;
}

static const struct contestant *find(const char *name)
{
	static const struct contestant *const ALL[] = { &BARE_CONTESTANT, &LOCUM_CONTESTANT };

	for (size_t i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++)
		if (strcmp(ALL[i]->name, name) == 0)
			return ALL[i];
	return NULL;
}

/* Returns NULL when the arguments are wrong. */
static const struct contestant *read_arguments(int argc, char **argv, struct race *race)
{
	int option;

	while ((option = getopt_long(argc, argv, "d:c:b:", OPTIONS, NULL)) != -1) {
		if (option == 'd')
			race->conninfo = optarg;
		else if (option == 'c')
			race->connections = read_number(optarg, RACE_CONNECTIONS_MAX);
		else if (option == 'b')
			race->batch = read_number(optarg, LIMIT_CLAIM_BATCH);
		else
			return NULL;
	}
	if (optind != argc - 1 || race->connections == 0 || race->batch == 0)
		return NULL;
	return find(argv[optind]);
}

int main(int argc, char **argv)
{
	struct race race = { "", CONNECTIONS_DEFAULT, LIMIT_CLAIM_BATCH };
	const struct contestant *contestant = read_arguments(argc, argv, &race);
	struct error err = { ERROR_NONE, "", "" };
	size_t jobs;
	double seconds;

	if (contestant == NULL) {
		fputs(USAGE, stderr);
		return EXIT_USAGE;
	}
	if (race_run(&race, contestant, &jobs, &seconds, &err) != 0) {
		fprintf(stderr, "locum-bench: %s\n", err.text);
		return 1;
	}
	printf("%zu %.6f\n", jobs, seconds);
	return 0;
}
