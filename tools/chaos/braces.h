/* What libConfuse lets pass in a scenario file: sections and strings that are not closed. */
#ifndef LOCUM_TOOLS_CHAOS_BRACES_H
#define LOCUM_TOOLS_CHAOS_BRACES_H

#include "base/error.h"

/* ERROR_INPUT with file and line of the brace or quote that has no other. */
int braces_check(const char *path, const char *text, struct error *err);

#endif
