/* Configurations written in a test, loaded through a file as any other. */
#ifndef LOCUM_TESTS_SUPPORT_CONFIG_TEXT_H
#define LOCUM_TESTS_SUPPORT_CONFIG_TEXT_H

#include <stddef.h>

#include "base/error.h"
#include "dispatcher/config.h"

/* A handler section on one line, for tests that are about something else. */
#define CONFIG_TEXT_HANDLER "handler \"noop\" { kind = command argv = {/bin/true} user = nobody }\n"

/* As config_load, from a temporary file of that text. The error names the file "FILE". */
int config_text_load(struct config *config, const char *text, struct error *err);
int config_text_load_bytes(struct config *config, const char *bytes, size_t length,
			   const struct config_override *overrides, size_t count,
			   struct error *err);

/* What config_print writes, the caller's to free. */
char *config_text_print(const struct config *config);

/* Unsets every variable that config_load looks at. */
void config_text_clear_environment(void);

#endif
