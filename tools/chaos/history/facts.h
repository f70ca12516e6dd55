/* Files of NAME=VALUE lines: what a run and an act were played with (run.h). One thread. */
#ifndef LOCUM_TOOLS_CHAOS_HISTORY_FACTS_H
#define LOCUM_TOOLS_CHAOS_HISTORY_FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct facts;

/* Reads FOLDER/NAME. A line without = is ERROR_INPUT that names it. NULL on error; the caller releases it. */
struct facts *facts_read(const char *folder, const char *name, struct error *err);
void facts_free(struct facts *facts);

/* A value, which is the facts'; "" when there is none. facts may be NULL: none. */
const char *facts_text(const struct facts *facts, const char *name);
int64_t facts_number(const struct facts *facts, const char *name, int64_t otherwise);

/* The i-th in the order of the file. Returns its name and sets *value; NULL behind the last. */
const char *facts_at(const struct facts *facts, size_t i, const char **value);

#endif
