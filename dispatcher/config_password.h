/* Connection strings that may be shown. Any thread. */
#ifndef LOCUM_DISPATCHER_CONFIG_PASSWORD_H
#define LOCUM_DISPATCHER_CONFIG_PASSWORD_H

/* Returns a copy of a URL or of key=value pairs with each password written as ****, the caller's to
 * free, or NULL when memory ends. */
char *config_password_mask(const char *conninfo);

#endif
