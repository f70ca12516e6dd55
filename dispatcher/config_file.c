#include "dispatcher/config_file.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "dispatcher/config.h"
#include "dispatcher/config_complaint.h"
#include "dispatcher/config_key.h"
#include "dispatcher/config_scan.h"

struct config_file {
	char *path;
	cfg_t *root;
};

/* Kept in each section under a key that nobody can write without quotes. */
struct mark {
	int line;
	char *title;
};
static const char MARK[] = { CONFIG_COMPLAINT_HIDDEN, 'm', '\0' };

static const struct config_key TOP_KEYS[] = {
#define TOP_KEY(field, key, ...) { key, false },
	CONFIG_DURATIONS(TOP_KEY) CONFIG_TEXTS(TOP_KEY) CONFIG_BOOLEANS(TOP_KEY)
#undef TOP_KEY
		{ 0 },
};
enum { TOP_COUNT = sizeof(TOP_KEYS) / sizeof(TOP_KEYS[0]) };

/* Called by libConfuse for each value. */
static int make_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	size_t size = strlen(text) + 1;
	struct config_value *value = malloc(sizeof(*value) + size);

	(void)opt;
	if (value == NULL)
		return -1;
	value->line = cfg->line;
	memcpy(value->text, text, size);
	*(void **)result = value;
	return 0;
}

/* Called by libConfuse when a section begins, before it is parsed. Takes the title away, so that
 * libConfuse does not replace the first of two sections that share one. */
static int make_mark(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	struct mark *mark = malloc(sizeof(*mark));
	char *empty = strdup("");

	(void)opt;
	(void)text;
	if (mark == NULL || empty == NULL) {
		free(mark);
		free(empty);
		return -1;
	}
	mark->line = cfg->line;
	mark->title = cfg->title;
	cfg->title = empty;
	*(void **)result = mark;
	return 0;
}

static void free_mark(void *pointer)
{
	struct mark *mark = pointer;

	free(mark->title);
	free(mark);
}

/* Returns where the next option goes. */
static cfg_opt_t *fill(cfg_opt_t *options, const struct config_key *keys)
{
	for (; keys->name != NULL; keys++) {
		const cfg_flag_t flags = CFGF_NODEFAULT | (keys->is_list ? CFGF_LIST : 0);

		*options++ = (cfg_opt_t)CFG_PTR_CB(keys->name, 0, flags, make_value, free);
	}
	return options;
}

static void fill_section(cfg_opt_t *options, const struct config_key *keys, char *once)
{
	cfg_opt_t *rest = fill(options, keys);

	rest[0] = (cfg_opt_t)CFG_PTR_LIST_CB(MARK, once, CFGF_NONE, make_mark, free_mark);
	rest[1] = (cfg_opt_t)CFG_END();
}

/* libConfuse copies all that it is given. */
static cfg_t *make_parser(void)
{
	const cfg_flag_t flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	char once[] = "{once}"; /* a default that is a list has make_mark called once per section */
	cfg_opt_t agent[CONFIG_KEY_MOST + 2];
	cfg_opt_t handler[CONFIG_KEY_MOST + 2];
	cfg_opt_t top[TOP_COUNT + 3];
	cfg_opt_t *rest;
	cfg_t *root;

	fill_section(agent, config_key_agent, once);
	fill_section(handler, config_key_handler, once);
	rest = fill(top, TOP_KEYS);
	rest[0] = (cfg_opt_t)CFG_SEC("agent", agent, flags);
	rest[1] = (cfg_opt_t)CFG_SEC("handler", handler, flags);
	rest[2] = (cfg_opt_t)CFG_END();
	root = cfg_init(top, CFGF_NONE);
	if (root != NULL)
		cfg_set_error_function(root, config_complaint_keep);
	return root;
}

enum { CHUNK = 65536 };

static int append_all(struct buffer *text, int fd, const char *path, struct error *err)
{
	ssize_t got;

	do {
		char *room = buffer_reserve(text, CHUNK, err);

		if (room == NULL)
			return error_prefix(err, "%s: cannot read this file", path);
		got = read(fd, room, CHUNK);
		if (got > 0)
			text->end += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		return error_set_errno(err, ERROR_INPUT, errno, "%s: cannot read this file", path);
	return buffer_append(text, "", 1, err);
}

/* Reads the file and a NUL behind it. */
static int read_text(struct buffer *text, const char *path, struct error *err)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return error_set_errno(err, ERROR_INPUT, errno, "%s: cannot open this file", path);
	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
		rc = error_set(err, ERROR_INPUT, "%s: is a directory, not a configuration file",
			       path);
	else
		rc = append_all(text, fd, path, err);
	close(fd);
	return rc;
}

static int parse(struct config_file *file, struct buffer *text, struct error *err)
{
	const char *complaint;

	if (config_scan(file->path, text->data, buffer_length(text) - 1, err) < 0)
		return -1;
	if (cfg_parse_buf(file->root, text->data) == CFG_SUCCESS)
		return 0;
	complaint = config_complaint_find(file->root);
	if (complaint == NULL)
		return error_set(err, ERROR_INPUT, "%s:%d: a key is expected here", file->path,
				 config_complaint_line(file->root));
	return error_set(err, ERROR_INPUT, "%s:%s", file->path, complaint);
}

int config_file_read(struct config_file **file, const char *path, struct error *err)
{
	struct config_file *made = calloc(1, sizeof(*made));
	struct buffer text;
	int rc = -1;

	buffer_init(&text, CONFIG_FILE_BYTES + CHUNK); /* the last read finds the end */
	if (made != NULL) {
		made->path = strdup(path);
		made->root = make_parser();
	}
	if (made == NULL || made->path == NULL || made->root == NULL)
		error_set(err, ERROR_FATAL, "out of memory");
	else if (read_text(&text, path, err) == 0)
		rc = parse(made, &text, err);
	buffer_free(&text);
	if (rc < 0)
		config_file_free(made);
	else
		*file = made;
	return rc;
}

void config_file_free(struct config_file *file)
{
	if (file == NULL)
		return;
	if (file->root != NULL)
		cfg_free(file->root);
	free(file->path);
	free(file);
}

struct config_section config_file_top(const struct config_file *file)
{
	return (struct config_section){ file->path, "", "", 0, file->root };
}

int config_file_sections(const struct config_file *file, const char *kind)
{
	return (int)cfg_size(file->root, kind);
}

struct config_section config_file_section(const struct config_file *file, const char *kind,
					  int index)
{
	cfg_t *cfg = cfg_getnsec(file->root, kind, (unsigned int)index);
	const struct mark *mark = cfg_getnptr(cfg, MARK, 0);

	return (struct config_section){ file->path, kind, mark->title, mark->line, cfg };
}

int config_file_count(const struct config_section *section, const char *key)
{
	cfg_opt_t *opt = cfg_getopt(section->cfg, key);

	if (opt == NULL || (opt->flags & CFGF_MODIFIED) == 0)
		return -1;
	return (int)cfg_opt_size(opt);
}

const struct config_value *config_file_value(const struct config_section *section, const char *key,
					     int index)
{
	return cfg_getnptr(section->cfg, key, (unsigned int)index);
}

void config_file_lines(const struct config_section *section, const struct config_key *keys,
		       struct config_key_lines *lines)
{
	for (int i = 0; keys[i].name != NULL; i++) {
		const struct config_value *value = config_file_value(section, keys[i].name, 0);

		lines->of[i] = value == NULL ? 0 : value->line;
	}
}

int config_file_fail(const struct config_section *section, int line, struct error *err,
		     const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return error_set(err, ERROR_INPUT, "%s:%d: %s", section->path, line, text);
}
