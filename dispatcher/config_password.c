#include "dispatcher/config_password.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MASK[] = "****";

/* A piece of text that is copied or replaced. */
struct writer {
	char *out; /* as long as the input and a mask for each of its characters at most */
	size_t used;
};

static void put(struct writer *writer, const char *text, size_t length)
{
	memcpy(writer->out + writer->used, text, length);
	writer->used += length;
}

static void put_mask(struct writer *writer)
{
	put(writer, MASK, strlen(MASK));
}

/* Keys whose values are secrets: password, sslpassword. */
static bool is_secret(const char *key, size_t length)
{
	static const char *const KEYS[] = { "password", "sslpassword" };

	for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
		if (strlen(KEYS[i]) == length && strncmp(KEYS[i], key, length) == 0)
			return true;
	}
	return false;
}

/* ?PARAMETER=VALUE&… of a URL, or nothing. */
static void mask_query(struct writer *writer, const char *text)
{
	while (*text != '\0') {
		size_t pair = strcspn(text + 1, "&") + 1; /* with the ? or & */
		size_t key = strcspn(text + 1, "=&") + 1;

		if (key < pair && is_secret(text + 1, key - 1)) {
			put(writer, text, key + 1);
			put_mask(writer);
		} else {
			put(writer, text, pair);
		}
		text += pair;
	}
}

/* scheme://user:password@hosts/name?query; the password ends at the last @ before the query, so
 * that one with an unescaped / does not show either. */
static void mask_url(struct writer *writer, const char *text)
{
	const char *authority = strstr(text, "://") + 3;
	size_t length = strcspn(authority, "?");
	const char *at = memrchr(authority, '@', length);
	const char *rest = authority;

	put(writer, text, (size_t)(authority - text));
	if (at != NULL) {
		const char *colon = memchr(authority, ':', (size_t)(at - authority));

		put(writer, authority, (size_t)((colon == NULL ? at : colon + 1) - authority));
		if (colon != NULL)
			put_mask(writer);
		rest = at;
	}
	length = strcspn(rest, "?");
	put(writer, rest, length);
	mask_query(writer, rest + length);
}

/* The length of a value in key=value form: quoted, or up to a space. */
static size_t value_length(const char *text)
{
	bool quoted = *text == '\'';
	size_t at = quoted ? 1 : 0;

	while (text[at] != '\0' && strchr(quoted ? "'" : " \t\r\n\f\v", text[at]) == NULL)
		at += text[at] == '\\' && text[at + 1] != '\0' ? 2 : 1;
	return at + (quoted && text[at] == '\'');
}

/* key = value key = 'value' … */
static void mask_pairs(struct writer *writer, const char *text)
{
	static const char SPACE[] = " \t\r\n\f\v";

	while (*text != '\0') {
		size_t blank = strspn(text, SPACE);
		const char *key = text + blank;
		size_t key_length = strcspn(key, "= \t\r\n\f\v");
		const char *equals = key + key_length + strspn(key + key_length, SPACE);
		const char *value = *equals == '=' ? equals + 1 : equals;
		size_t length;

		if (*equals == '=')
			value += strspn(value, SPACE);
		put(writer, text, (size_t)(value - text));
		length = *equals == '=' ? value_length(value) : 0;
		if (is_secret(key, key_length) && length > 0)
			put_mask(writer);
		else
			put(writer, value, length);
		text = value + length;
	}
}

char *config_password_mask(const char *conninfo)
{
	/* Each mask stands behind a key or a colon, so one cannot stand for less than a character. */
	struct writer writer = { malloc((strlen(conninfo) + 1) * sizeof(MASK)), 0 };

	if (writer.out == NULL)
		return NULL;
	if (strncmp(conninfo, "postgresql://", 13) == 0 ||
	    strncmp(conninfo, "postgres://", 11) == 0)
		mask_url(&writer, conninfo);
	else
		mask_pairs(&writer, conninfo);
	writer.out[writer.used] = '\0';
	return writer.out;
}
