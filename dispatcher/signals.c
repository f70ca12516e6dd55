#include "dispatcher/signals.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/log.h"

static void pass_on(const struct signal *signal, struct mailbox *pump, int drain_fd)
{
	struct mail mail = { .kind = MAIL_SIGNAL, .signal = *signal };

	if (signal->kind == SIGNAL_DRAIN)
		eventfd_write(drain_fd, 1);
	else
		mailbox_post(pump, &mail);
}

void signals_take(struct signals *signals, struct db *db, struct uuid incarnation,
		  struct mailbox *pump, int drain_fd)
{
	struct error err = { ERROR_NONE, "", "" };
	struct signal *told;
	size_t count;

	if (signal_take(db, incarnation, signals->taken, signals->count, &told, &count, &err) !=
	    0) {
		if (!signals->deaf)
			log_warning("signals cannot be read; pings go on", log_err(&err));
		signals->deaf = true;
		return;
	}
	if (signals->deaf)
		log_info("signals are read again");
	signals->deaf = false;
	for (size_t i = 0; i < count; i++)
		pass_on(&told[i], pump, drain_fd);
	free(signals->taken);
	signals->taken = told;
	signals->count = count;
}

void signals_fini(struct signals *signals)
{
	free(signals->taken);
	*signals = (struct signals){ 0 };
}
