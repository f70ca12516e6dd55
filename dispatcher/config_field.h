/*
 * One key of a handler's section, read by what it holds. Each leaves its output as it is when the key is
 * not there, and fails with "PATH:LINE: handler "NAME": …".
 */
#ifndef LOCUM_DISPATCHER_CONFIG_FIELD_H
#define LOCUM_DISPATCHER_CONFIG_FIELD_H

#include <stdint.h>

#include "base/error.h"
#include "dispatcher/config_file.h"

/* Puts "PATH:LINE: handler "NAME": KEY: " before the error. Always returns -1. */
int config_field_blame(const struct config_section *section, int line, const char *key,
		       struct error *err);

/* Copies a list into a NULL-terminated array, the caller's to free; an absent list is an empty one. */
int config_field_list(const struct config_section *section, const char *key, char ***list,
		      struct error *err);

/* A copy of the text, the caller's to free. */
int config_field_text(const struct config_section *section, const char *key, char **text,
		      struct error *err);

/* The same, and it must begin with a slash. */
int config_field_path(const struct config_section *section, const char *key, char **path,
		      struct error *err);

/* A duration of least_ms or more. */
int config_field_duration(const struct config_section *section, const char *key, int64_t least_ms,
			  int64_t *ms, struct error *err);

/* A size of `least` bytes or more. */
int config_field_size(const struct config_section *section, const char *key, int64_t least,
		      int64_t *bytes, struct error *err);

/* A whole number from 1 to most. */
int config_field_number(const struct config_section *section, const char *key, int64_t most,
			int64_t *number, struct error *err);

#endif
