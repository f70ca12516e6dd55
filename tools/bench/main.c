/* locum-bench: what tools/bench/run.sh measures with: empties a table of jobs, or plays a fleet that has none. */
#include <getopt.h>
#include <locum.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tools/bench/fleet.h"
#include "tools/bench/race.h"
#include "tools/bench/source.h"

static const struct option OPTIONS[] = {
	{ "database", required_argument, NULL, 'd' },
	{ "connections", required_argument, NULL, 'c' },
	{ "batch", required_argument, NULL, 'b' },
	{ "dispatchers", required_argument, NULL, 'D' },
	{ "workers", required_argument, NULL, 'w' },
	{ "seconds", required_argument, NULL, 's' },
	{ "pings", required_argument, NULL, 'p' },
	{ "bare", no_argument, NULL, 'B' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "every", required_argument, NULL, 'e' },
	{ "jitter", required_argument, NULL, 'J' },
	{ "handler", required_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char USAGE[] =
	"usage: locum-bench -d CONNINFO [--connections N] [--batch N] bare|bare_none|locum|pgq\n"
	"       locum-bench -d CONNINFO [--dispatchers N] [--workers N] [--seconds N] [--bare] fleet\n"
	"       locum-bench -d CONNINFO [--pings N] ping\n"
	"       locum-bench -d CONNINFO [--jobs N] [--batch N] [--every MS] [--jitter MS] [--seconds N]\n"
	"                   [--handler NAME] submit\n"
	"bare, bare_none, locum, pgq, submit: prints the jobs it completed or submitted, and the seconds it took.\n"
	"fleet, ping: prints \"running\", then \"over\", and how often a fleet did what.\n";

enum {
	EXIT_USAGE = 64,
	CONNECTIONS_DEFAULT = 2,
	WORKERS_DEFAULT = 10,
	SECONDS_DEFAULT = 60,
	PINGS_DEFAULT = 10000,
	NUMBER_MOST = 100000000,
	BATCH_DEFAULT = 1000,
};

struct arguments {
	struct race race;
	struct fleet_options fleet;
	struct source_options source;
	int pings;
	const char *what;
};

/* Sets *number; returns whether the text is one from 1 to `most`. */
static bool read_number(const char *text, int most, int *number)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 1 || value > most)
		return false;
	*number = (int)value;
	return true;
}

/* Those of a source alone. */
static bool read_source_option(int option, struct source_options *source)
{
	switch (option) {
	case 'j':
		return read_number(optarg, NUMBER_MOST, &source->jobs);
	case 'e':
		return read_number(optarg, NUMBER_MOST, &source->every_ms);
	case 'J':
		return read_number(optarg, NUMBER_MOST, &source->jitter_ms);
	case 'h':
		source->handler = optarg;
		return true;
	default:
		return false;
	}
}

static bool read_option(int option, struct arguments *arguments)
{
	switch (option) {
	case 'd':
		arguments->race.conninfo = optarg;
		arguments->fleet.conninfo = optarg;
		arguments->source.conninfo = optarg;
		return true;
	case 'c':
		return read_number(optarg, RACE_CONNECTIONS_MAX, &arguments->race.connections);
	case 'b':
		return read_number(optarg, LOCUM_BATCH_MAX, &arguments->race.batch) &&
		       read_number(optarg, LOCUM_BATCH_MAX, &arguments->source.batch);
	case 'D':
		return read_number(optarg, FLEET_DISPATCHERS_MAX, &arguments->fleet.dispatchers);
	case 'w':
		return read_number(optarg, FLEET_WORKERS_MAX, &arguments->fleet.workers);
	case 's':
		return read_number(optarg, NUMBER_MOST, &arguments->fleet.seconds) &&
		       read_number(optarg, NUMBER_MOST, &arguments->source.seconds);
	case 'p':
		return read_number(optarg, NUMBER_MOST, &arguments->pings);
	case 'B':
		arguments->fleet.bare = true;
		return true;
	default:
		return read_source_option(option, &arguments->source);
	}
}

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option;

	while ((option = getopt_long(argc, argv, "d:c:b:", OPTIONS, NULL)) != -1)
		if (!read_option(option, arguments))
			return false;
	arguments->what = argv[optind];
	return optind == argc - 1;
}

static int run_race(const struct race *race, const struct contestant *contestant, struct error *err)
{
	size_t jobs;
	double seconds;

	if (race_run(race, contestant, &jobs, &seconds, err) != 0)
		return -1;
	printf("%zu %.6f\n", jobs, seconds);
	return 0;
}

static int run_source(const struct source_options *options, struct error *err)
{
	int jobs;
	double seconds;

	if (source_run(options, &jobs, &seconds, err) != 0)
		return -1;
	printf("%d %.6f\n", jobs, seconds);
	return 0;
}

/* 1: there is no such thing to do. */
static int run(const struct arguments *arguments, struct error *err)
{
	static const struct contestant *const ALL[] = { &BARE_CONTESTANT, &BARE_NONE_CONTESTANT,
							&LOCUM_CONTESTANT, &PGQ_CONTESTANT };

	if (strcmp(arguments->what, "fleet") == 0)
		return fleet_run(&arguments->fleet, err);
	if (strcmp(arguments->what, "ping") == 0)
		return fleet_ping(arguments->race.conninfo, arguments->pings, err);
	if (strcmp(arguments->what, "submit") == 0)
		return run_source(&arguments->source, err);
	for (size_t i = 0;
	     arguments->race.batch <= LIMIT_CLAIM_BATCH && i < sizeof(ALL) / sizeof(ALL[0]); i++)
		if (strcmp(ALL[i]->name, arguments->what) == 0)
			return run_race(&arguments->race, ALL[i], err);
	return 1;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.race = { "", CONNECTIONS_DEFAULT, LIMIT_CLAIM_BATCH },
		.fleet = { "", 1, WORKERS_DEFAULT, SECONDS_DEFAULT, false },
		.source = { "", "noop", 0, BATCH_DEFAULT, 0, 0, 0 },
		.pings = PINGS_DEFAULT,
	};
	struct error err = { ERROR_NONE, "", "" };
	int status = 1;

	if (read_arguments(argc, argv, &arguments))
		status = run(&arguments, &err);
	if (status > 0) {
		fputs(USAGE, stderr);
		return EXIT_USAGE;
	}
	if (status < 0) {
		fprintf(stderr, "locum-bench: %s\n", err.text);
		return 1;
	}
	return 0;
}
