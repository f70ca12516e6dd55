/* The verbs of the CLI, one per file. Each parses its arguments, does its work, and returns an exit code,
 * or -1 with *err filled: main says the error and ends with the code that fits. Each exports its argp. */
#ifndef LOCUM_TOOLS_LOCUM_VERB_H
#define LOCUM_TOOLS_LOCUM_VERB_H

#include <stddef.h>

#include "base/error.h"
#include "tools/locum/cli.h"

typedef int verb_run(struct cli *cli, int argc, char **argv, struct error *err);

/* VERB(name, what it does) */
#define VERBS(X)                                                                                   \
	X(up, "make and start a private database and a dispatcher")                                \
	X(down, "stop what \"up\" started")                                                        \
	X(init, "make or upgrade the schema in a database")                                        \
	X(submit, "submit a job, or a stream of them")                                             \
	X(run, "submit a job, wait for its end, and print its result")                             \
	X(list, "list jobs, newest first")                                                         \
	X(show, "tell the whole story of a job")                                                   \
	X(wait, "wait until jobs have ended")                                                      \
	X(cancel, "cancel jobs")                                                                   \
	X(retry, "submit finished jobs again")                                                     \
	X(queue, "list, make, change, pause and resume queues")                                    \
	X(workers, "list the dispatchers and what they serve")                                     \
	X(drain, "let dispatchers finish what they have and end")                                  \
	X(handler_test, "check which rules of the protocol a service keeps")                       \
	X(chaos, "do a fleet harm and prove what became of its jobs")                              \
	X(bench, "measure locum on this machine")                                                  \
	X(completion, "print a script that completes command lines")

#define VERB_DECLARE(name, help)                                                                   \
	verb_run name##_run;                                                                       \
	extern const struct argp name##_argp; /* its options, for completion */
VERBS(VERB_DECLARE)
#undef VERB_DECLARE

/* A verb of a verb: "locum queue pause". The list ends with a NULL name. */
struct verb_part {
	const char *name;
	const char *help;
	const struct argp *argp;
};
extern const struct verb_part queue_parts[];

/* The names of the columns that "locum list" can show, one by one; NULL behind the last. */
const char *list_column(size_t i);

#endif
