/*
 * A strict reader of JSON that makes no tree: it checks a text and says where its parts are, so that a
 * value can be passed on byte for byte. RFC 8259, UTF-8, no more than JSON_SCAN_DEPTH levels in a value. Any thread.
 */
#ifndef LOCUM_BASE_JSON_SCAN_H
#define LOCUM_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { JSON_SCAN_DEPTH = 512 };

/* A run of bytes of the text; NULL bytes: there is none. A span of a value begins and ends with it. */
struct json_span {
	const char *bytes;
	size_t length;
};

/* A member of an object that is looked for. */
struct json_member {
	const char *name;
	bool may_be_deep;       /* more levels than JSON_SCAN_DEPTH are no error */
	bool is_deep;           /* but told here; its inside is not checked then */
	struct json_span value; /* absent when the object does not have it */
};

/* Checks that the text is one value with nothing but white space around it. Returns 0 and sets *value,
 * or -1 with ERROR_INPUT that says what is wrong and where. */
int json_scan_value(struct json_span text, struct json_span *value, struct error *err);

/* Checks that the text is one object and fills in the values of its members that are looked for; others
 * are checked and passed over. One that is looked for and comes twice is an error. */
int json_scan_object(struct json_span text, struct json_member *members, size_t count,
		     struct error *err);

/* Is given a member of an object: its name, a string with its quotes, and its value. Returns NULL, or what is wrong
 * with it, which ends the scan. */
typedef const char *json_scan_visit(void *context, struct json_span name, struct json_span value);

/* Checks that the text is one object and shows its members in their order. */
int json_scan_members(struct json_span text, json_scan_visit *visit, void *context,
		      struct error *err);

/* What follows takes spans of values that were checked. */

bool json_scan_is_object(struct json_span value);
bool json_scan_is_text(struct json_span value);
bool json_scan_is_null(struct json_span value);

/* Each returns whether the value is of that type and fits, and sets its output only then. */
bool json_scan_int(struct json_span value, int64_t *number);
bool json_scan_number(struct json_span value, double *number);
bool json_scan_bool(struct json_span value, bool *truth);

#endif
