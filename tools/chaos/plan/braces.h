/* What libConfuse lets pass in a scenario file, sections and strings that are not closed; and comments, at which it counts
 * lines wrong. */
#ifndef LOCUM_TOOLS_CHAOS_PLAN_BRACES_H
#define LOCUM_TOOLS_CHAOS_PLAN_BRACES_H

#include "base/error.h"

/* Puts spaces in the place of comments. ERROR_INPUT with file and line of the brace or quote that has no other. */
int braces_check(const char *path, char *text, struct error *err);

#endif
