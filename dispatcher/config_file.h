/*
 * A configuration file as libConfuse reads it: sections of keys, and values that know their lines. What
 * the values mean is for others to say. libConfuse keeps its state in globals: one thread at a time.
 */
#ifndef LOCUM_DISPATCHER_CONFIG_FILE_H
#define LOCUM_DISPATCHER_CONFIG_FILE_H

#include "base/error.h"
#include "dispatcher/config_key.h"

struct cfg_t;
struct config_file;

enum { CONFIG_FILE_BYTES = 1048576 }; /* a larger file is none of ours */

/* A value as written, without its quotes. */
struct config_value {
	int line;
	char text[];
};

/* The top level (kind "", name "") or one `KIND "NAME" { … }`. Borrowed from the file. */
struct config_section {
	const char *path;
	const char *kind;
	const char *name;
	int line;
	struct cfg_t *cfg;
};

/* Reads the file at path. Returns 0 and sets *file, which the caller frees, or -1 with ERROR_INPUT: it
 * cannot be read, breaks the syntax, or has keys that nobody knows. */
int config_file_read(struct config_file **file, const char *path, struct error *err);
void config_file_free(struct config_file *file);

struct config_section config_file_top(const struct config_file *file);

/* How many sections of that kind ("agent", "handler") there are, and each in the order of the file. */
int config_file_sections(const struct config_file *file, const char *kind);
struct config_section config_file_section(const struct config_file *file, const char *kind,
					  int index);

/* How many values the key has in the section: -1 when it is not there, 0 for an empty list. */
int config_file_count(const struct config_section *section, const char *key);

/* The value at index, or NULL past the last. */
const struct config_value *config_file_value(const struct config_section *section, const char *key,
					     int index);

/* Where each key of this table stands in the section: the line of its (first) value. */
void config_file_lines(const struct config_section *section, const struct config_key *keys,
		       struct config_key_lines *lines);

/* Fails with "PATH:LINE: …". Always returns -1. */
int config_file_fail(const struct config_section *section, int line, struct error *err,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
