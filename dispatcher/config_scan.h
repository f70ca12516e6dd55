/*
 * A look at the text of a configuration file before libConfuse parses it: finds what libConfuse
 * accepts though it is wrong, and blanks the comments, which make it count lines wrongly.
 */
#ifndef LOCUM_DISPATCHER_CONFIG_SCAN_H
#define LOCUM_DISPATCHER_CONFIG_SCAN_H

#include <stddef.h>

#include "base/error.h"

/* Overwrites the comments in text[0 … length) with spaces. Returns 0, or -1 with ERROR_INPUT and
 * "PATH:LINE: …" for a string, comment, list or section that is not closed, a } too many, a NUL byte
 * (also as \0), a string over several lines, a ${VARIABLE} that is not set, and a setting that is given twice
 * in one section. */
int config_scan(const char *path, char *text, size_t length, struct error *err);

#endif
