/* The top-level settings as a table, made of the lists in config.h. */
#ifndef LOCUM_DISPATCHER_CONFIG_SETTING_H
#define LOCUM_DISPATCHER_CONFIG_SETTING_H

#include <stdint.h>

#include "base/error.h"
#include "dispatcher/config.h"

enum config_type { CONFIG_DURATION, CONFIG_TEXT, CONFIG_BOOLEAN };

struct config_setting {
	const char *key;
	enum config_type type;
	size_t field;     /* offset in struct config of the value … */
	size_t origin;    /* … and of its origin */
	int64_t number;   /* default of a duration (ms) or boolean */
	int64_t least;    /* of a duration, ms */
	const char *text; /* default of a text */
	const char *meta; /* name of its value in the help, NULL for a boolean */
	const char *help;
};

enum {
#define CONFIG_SETTING_ONE(...) +1
	CONFIG_SETTING_COUNT = 0 CONFIG_DURATIONS(CONFIG_SETTING_ONE)
		CONFIG_TEXTS(CONFIG_SETTING_ONE) CONFIG_BOOLEANS(CONFIG_SETTING_ONE),
#undef CONFIG_SETTING_ONE
	CONFIG_SETTING_MOST_MS = 86400000, /* a day: longer is a typing error */
};

/* CONFIG_SETTING_COUNT rows, in the order in which they are printed. */
extern const struct config_setting config_setting_all[];

/* The setting of that key, or NULL. */
const struct config_setting *config_setting_find(const char *key);

/* Fills the whole with the defaults. */
int config_setting_reset(struct config *config, struct error *err);

/* Sets one value from text. The error begins with the origin. */
int config_setting_set(struct config *config, const struct config_setting *setting,
		       const char *text, const struct config_origin *origin, struct error *err);

/* Copies one value and its origin. */
int config_setting_copy(struct config *to, const struct config *from,
			const struct config_setting *setting, struct error *err);

/* Frees the texts. */
void config_setting_fini(struct config *config);

int64_t config_setting_number(const struct config *config, const struct config_setting *setting);
const char *config_setting_text(const struct config *config, const struct config_setting *setting);
const struct config_origin *config_setting_origin(const struct config *config,
						  const struct config_setting *setting);

/* Puts the origin ("FILE:LINE", the variable, the flag; nothing for a default) before the error. Always
 * returns -1. */
int config_setting_blame(const struct config *config, const struct config_origin *origin,
			 struct error *err);

#endif
