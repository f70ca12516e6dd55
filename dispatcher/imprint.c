#include "dispatcher/imprint.h"

#include "base/log.h"

void imprint(struct identity *identity, struct uuid incarnation, int64_t timeline, bool *failed)
{
	struct error err = { ERROR_NONE, "", "" };
	bool fails = identity_save(identity, incarnation, timeline, &err) != 0;

	if (fails && !*failed)
		log_warning("a restart will not take its jobs back at once", log_err(&err));
	else if (!fails && *failed)
		log_info("the state file is written again");
	*failed = fails;
}
