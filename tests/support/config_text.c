#include "tests/support/config_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatcher/config_setting.h"

static int write_file(char *path, const char *bytes, size_t length)
{
	int fd = mkstemp(path);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, bytes, length);
	close(fd);
	return written == (ssize_t)length ? 0 : -1;
}

/* Puts "FILE" in the place of the path that the error begins with. */
static void rename_file(struct error *err, const char *path)
{
	size_t length = strlen(path);

	if (strncmp(err->text, path, length) != 0)
		return;
	memmove(err->text + 4, err->text + length, strlen(err->text + length) + 1);
	memcpy(err->text, "FILE", 4);
}

int config_text_load_bytes(struct config *config, const char *bytes, size_t length,
			   const struct config_override *overrides, size_t count, struct error *err)
{
	char path[] = "/tmp/locum-test-config-XXXXXX";
	int rc = -1;

	error_clear(err);
	memset(config, 0, sizeof(*config));
	if (write_file(path, bytes, length) < 0)
		return error_set(err, ERROR_FATAL, "cannot write %s", path);
	rc = config_load(config, path, overrides, count, err);
	unlink(path);
	rename_file(err, path);
	return rc;
}

int config_text_load(struct config *config, const char *text, struct error *err)
{
	return config_text_load_bytes(config, text, strlen(text), NULL, 0, err);
}

char *config_text_print(const struct config *config)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int rc;

	if (out == NULL)
		return NULL;
	rc = config_print(config, out, NULL);
	fclose(out);
	if (rc == 0)
		return text;
	free(text);
	return NULL;
}

void config_text_clear_environment(void)
{
	char name[CONFIG_ORIGIN_NAME_SIZE];

	unsetenv("DATABASE_URL");
	unsetenv("LOCUM_DATABASE_URL");
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		snprintf(name, sizeof(name), "LOCUM_%s", config_setting_all[i].key);
		for (char *letter = name; *letter != '\0'; letter++)
			*letter = (char)toupper((unsigned char)*letter);
		unsetenv(name);
	}
}
