/* What libConfuse complains about, said so that a person can act on it. */
#ifndef LOCUM_DISPATCHER_CONFIG_COMPLAINT_H
#define LOCUM_DISPATCHER_CONFIG_COMPLAINT_H

#include <confuse.h>
#include <stdarg.h>

/* Keys that begin so are ours, not the user's, and are never suggested. */
enum { CONFIG_COMPLAINT_HIDDEN = '(' };

/* The error function for cfg_set_error_function. libConfuse passes it no argument of ours, so the
 * complaint waits in cfg->comment, which nothing else uses and cfg_free releases. */
void config_complaint_keep(cfg_t *cfg, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* The complaint kept in root or one of its sections, as "LINE: TEXT", or NULL. */
const char *config_complaint_find(cfg_t *root);

/* The line that was reached, for a failure without a complaint. */
int config_complaint_line(cfg_t *root);

#endif
