/* Other programs: where they are, and running them. */
#ifndef LOCUM_TOOLS_LOCUM_PROGRAM_H
#define LOCUM_TOOLS_LOCUM_PROGRAM_H

#include "base/error.h"

/* The path of one of locum's own programs: beside this one, else in PATH. The caller's to free. */
char *program_sister(const char *name, struct error *err);

/* The folder with PostgreSQL's server programs, of this major version if that is not 0: by PATH, below
 * /usr/lib/postgresql (the newest), or by pg_config. The caller's to free. */
char *program_server_folder(int version, struct error *err);

enum { PROGRAM_ARGS_MAX = 32 };

struct program_run {
	const char *const *argv; /* argv[0] is a path; fewer than PROGRAM_ARGS_MAX - 8 */
	const char *user;        /* to run as, when this process is root; or NULL */
	const char *output;      /* a file that gets stdout and stderr behind what it holds */
};

/* Runs a program to its end. Sets *code to its exit code, 128 + N for signal N. */
int program_run(const struct program_run *run, int *code, struct error *err);

#endif
