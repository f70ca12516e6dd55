/* What a SQLSTATE means to the caller. */
#ifndef LOCUM_DB_SQLSTATE_H
#define LOCUM_DB_SQLSTATE_H

#include <stdbool.h>

#include "base/error.h"

/* The one place that maps the five characters of a SQLSTATE (or "") to a kind of error. Once the bytes of a
 * commit may have left, class 08 and 57P01 to 57P03 mean "unknown" to the caller, not "not done". */
enum error_kind sqlstate_kind(const char *sqlstate);

/* A serialization failure or a deadlock: whoever repeats the transaction may succeed. */
bool sqlstate_is_conflict(const char *sqlstate);

/* A lock was waited for longer than lock_timeout allows. */
bool sqlstate_is_locked(const char *sqlstate);

#endif
