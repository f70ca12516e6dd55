/* The faults, for people and programs: what `locum chaos list` prints. */
#ifndef LOCUM_TOOLS_CHAOS_CATALOGUE_H
#define LOCUM_TOOLS_CHAOS_CATALOGUE_H

#include "base/error.h"
#include "tools/locum/cli.h"

/* To stdout: a table, JSON lines (--json), or bare names (-q). What this machine cannot do says why. */
int catalogue_print(const struct cli *cli, struct error *err);

#endif
