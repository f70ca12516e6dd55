#include "dispatcher/obituary.h"

#include "base/clock.h"
#include "base/log.h"
#include "db/dispatcher.h"

void obituary_write(struct db *db, struct uuid incarnation, int64_t ack_boot_ms)
{
	struct error err = { ERROR_NONE, "", "" };
	struct uuid by = { { 0 } };

	if (dispatcher_return(db, incarnation, &by, &err) != 0)
		log_warning("the return could not be recorded", log_err(&err));
	else if (uuid_is_none(by)) {
		log_error(
			"the row of this dispatcher's pings is gone, though nobody declared it dead",
			log_uuid("incarnation", incarnation));
		return;
	}
	log_error("this dispatcher was declared dead", log_uuid("incarnation", incarnation),
		  log_uuid("declared_by", by),
		  log_number("silent_ms", clock_boottime_ms() - ack_boot_ms),
		  log_text("likely_cause",
			   "it was stopped, starved, or cut off from the database for "
			   "longer than ping_death_interval"));
}
