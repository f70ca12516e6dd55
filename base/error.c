#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void
write_text(struct error *err, enum error_kind kind, const char *format, va_list args)
{
	err->kind = kind;
	err->sqlstate[0] = '\0';
	vsnprintf(err->text, sizeof(err->text), format, args);
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return -1;
	va_start(args, format);
	write_text(err, kind, format, args);
	va_end(args);
	return -1;
}

int error_set_errno(struct error *err, enum error_kind kind, int errno_value, const char *format,
		    ...)
{
	va_list args;
	char reason[128];
	size_t used;

	if (err == NULL)
		return -1;
	va_start(args, format);
	write_text(err, kind, format, args);
	va_end(args);
	used = strlen(err->text);
	/* The GNU form, which may return a constant instead of filling the buffer. */
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		 strerror_r(errno_value, reason, sizeof(reason)));
	return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
	va_list args;
	char rest[ERROR_TEXT_MAX];
	size_t used;

	if (err == NULL)
		return -1;
	memcpy(rest, err->text, sizeof(rest));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", rest);
	return -1;
}

void error_clear(struct error *err)
{
	if (err == NULL)
		return;
	err->kind = ERROR_NONE;
	err->sqlstate[0] = '\0';
	err->text[0] = '\0';
}
