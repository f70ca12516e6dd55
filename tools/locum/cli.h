/* What every verb of the CLI shares: exit codes, the common options, the way to the database. */
#ifndef LOCUM_TOOLS_LOCUM_CLI_H
#define LOCUM_TOOLS_LOCUM_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_NEGATIVE = 1,      /* a job failed, there is no such job */
	CLI_USAGE = 64,        /* the command line is wrong */
	CLI_INPUT = 65,        /* a payload or an option's value is wrong */
	CLI_DATABASE = 69,     /* there is no database, or it does not answer */
	CLI_AGAIN = 75,        /* it may work later */
	CLI_DENIED = 77,       /* the database does not allow it */
	CLI_CONFIG = 78,       /* the installation or the database is not as it has to be */
	CLI_TIMEOUT = 124,     /* `wait` ran out of time */
	CLI_INTERRUPTED = 130, /* SIGINT */
};

enum cli_colour { CLI_COLOUR_AUTO, CLI_COLOUR_ALWAYS, CLI_COLOUR_NEVER };

struct cli {
	const char *program;    /* as it was called, to find its sister programs */
	const char *conninfo;   /* -d, or NULL */
	bool json;              /* --json */
	bool quiet;             /* -q */
	enum cli_colour colour; /* --color */
	int64_t watch_ms;       /* --watch; 0: once */
	int failure;            /* the exit code of a failing verb; 0: from its error */
	int (*stop_fd)(void);   /* from now on SIGINT and SIGTERM make this descriptor readable and
				   do nothing else; -1 when that is impossible */
	void (*ignore_pipes)(
		void); /* from now on a pipe that nobody reads is an error of its writer */
};

/* Options that a verb takes as argp children; their input is the struct cli. */
extern const struct argp cli_connection_argp; /* -d */
extern const struct argp cli_output_argp;     /* --json, -q, --color */

/* Parses the arguments of a verb. argv[0] is "locum VERB". Ends the program for --help and, with
 * one sentence, for a wrong option. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/* Connects and checks that the schema is this program's. */
int cli_open(struct cli *cli, struct db **db, struct error *err);

/* Connects without a look at the schema. */
int cli_connect(struct cli *cli, struct db **db, struct error *err);

/* Connects to what conninfo says. */
int cli_dial(const char *conninfo, struct db **db, struct error *err);

/* The exit code that says what *err says. */
int cli_exit_code(const struct error *err);

/* Notes that the command line is to blame. Always returns -1. */
int cli_usage(struct cli *cli, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Reads a number from least to most; what names it in the error. */
int cli_number(struct cli *cli, const char *what, const char *text, int64_t least, int64_t most,
	       int64_t *number, struct error *err);

/* Reads the ids of the jobs that a verb was given. *ids is the caller's to free. */
int cli_jobs(struct cli *cli, char *const *texts, size_t count, int64_t **ids, struct error *err);

/* Makes sure that what was printed has arrived, or says why not. A reader that went away does not mind. */
int cli_flush(struct cli *cli, struct error *err);

/* Says one line on stderr, after "locum: ", with control characters made harmless. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
