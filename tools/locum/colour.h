/* Colours for people on a terminal. */
#ifndef LOCUM_TOOLS_LOCUM_COLOUR_H
#define LOCUM_TOOLS_LOCUM_COLOUR_H

#include <stdbool.h>

#include "tools/locum/cli.h"

#define COLOUR_BAD "\033[31m"
#define COLOUR_END "\033[0m"

/* Whether stdout gets colours: --color decides, else whether it is a terminal that has some and NO_COLOR is
 * not set. */
bool colour_wanted(const struct cli *cli);

/* The sequence that begins the colour of a job's or a dispatcher's state, or NULL for none. */
const char *colour_of_state(const char *state);

#endif
