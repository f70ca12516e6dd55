#include "dispatcher/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "dispatcher/config_password.h"

/* Where the value of an option begins that may be one: -dVALUE, --database=VALUE, VALUE. */
static char *find_value(char *argument)
{
	char *sign = strchr(argument, '=');

	if (strncmp(argument, "--", 2) == 0)
		return sign == NULL ? argument : sign + 1;
	return strncmp(argument, "-d", 2) == 0 ? argument + 2 : argument;
}

/* In the place that there is, which need not be enough for all asterisks. */
static int mask(char *argument)
{
	char *value = find_value(argument);
	char *masked = config_password_mask(value);

	if (masked == NULL)
		return -1;
	if (strcmp(masked, value) != 0) {
		size_t room = strlen(value);
		size_t length = strnlen(masked, room);

		memcpy(value, masked, length);
		memset(value + length, '\0', room - length);
	}
	free(masked);
	return 0;
}

char **arguments_take(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));

	for (int i = 0; copy != NULL && i < argc; i++) {
		copy[i] = strdup(argv[i]);
		if (copy[i] == NULL || mask(argv[i]) != 0) {
			arguments_free(copy);
			copy = NULL;
		}
	}
	return copy;
}

void arguments_free(char **copy)
{
	for (size_t i = 0; copy != NULL && copy[i] != NULL; i++)
		free(copy[i]);
	free(copy);
}
