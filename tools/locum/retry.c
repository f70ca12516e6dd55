#include "tools/locum/verb.h"

int retry_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	(void)cli;
	(void)argc;
	(void)argv;
	return error_set(err, ERROR_FATAL, "not here");
}
