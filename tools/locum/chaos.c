#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/locum/program.h"
#include "tools/locum/verb.h"

const struct argp chaos_argp = {
	.args_doc = "list|run|check|report [OPTION...]",
	.doc = "Does a fleet harm and proves what became of its jobs. \"locum help chaos ACTION\" explains an action.",
};

/* The harness is a program of its own, which keeps its descriptors, signals and libraries out of this one. */
int chaos_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	char *program = program_sister("locum-chaos", err);

	(void)cli;
	(void)argc;
	if (program == NULL)
		return -1;
	execv(program, argv);
	error_set_errno(err, ERROR_FATAL, errno, "cannot run %s", program);
	free(program);
	return -1;
}
