#include "tools/locum/patience.h"

#include <poll.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"

enum { PAUSE_FIRST_MS = 50, PAUSE_MOST_MS = 2000 };

void patience_rest(struct patience *patience)
{
	patience->until_ms = 0;
	patience->tries = 0;
}

/* Waits a random time, longer from try to try. Returns -1 when the stop came. */
static int pause_a_while(struct patience *patience, int64_t left_ms)
{
	struct pollfd polled = { .fd = patience->stop_fd, .events = POLLIN };
	int64_t most_ms = PAUSE_FIRST_MS << (patience->tries < 6 ? patience->tries : 6);
	int64_t ms;

	most_ms = most_ms < PAUSE_MOST_MS ? most_ms : PAUSE_MOST_MS;
	ms = most_ms / 2 + clock_jitter_ms(most_ms);
	patience->tries++;
	return poll(&polled, 1, (int)(ms < left_ms ? ms : left_ms)) == 1 ? -1 : 0;
}

static int give_up(struct patience *patience, int code)
{
	patience->cli->failure = code;
	return -1;
}

static int wait_turn(struct patience *patience)
{
	int64_t now_ms = clock_monotonic_ms();

	if (patience->until_ms == 0)
		patience->until_ms = now_ms + patience->limit_ms;
	if (now_ms >= patience->until_ms)
		return give_up(patience, CLI_AGAIN);
	if (pause_a_while(patience, patience->until_ms - now_ms) != 0)
		return give_up(patience, CLI_INTERRUPTED);
	return 0;
}

static void tell(const struct patience *patience, const struct error *err)
{
	char limit[DURATION_TEXT_SIZE];

	if (patience->tries == 0 && !patience->cli->quiet)
		cli_say("%s; trying again for up to %s", err->text,
			duration_text(patience->limit_ms, limit));
}

static bool is_conflict(const struct error *err)
{
	static const char *const STATES[] = { "40001", "40P01", "55P03" };

	for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
		if (strcmp(err->sqlstate, STATES[i]) == 0)
			return true;
	return false;
}

static int reconnect(struct patience *patience, struct db **db, struct error *err)
{
	if (patience->limit_ms > 0)
		tell(patience, err);
	db_close(*db);
	*db = NULL;
	for (;;) {
		if (wait_turn(patience) != 0)
			return -1;
		if (cli_open(patience->cli, db, err) == 0)
			return 0;
		if (err->kind != ERROR_RETRY)
			return -1;
	}
}

int patience_mend(struct patience *patience, struct db **db, struct error *err)
{
	if (*db == NULL || db_is_lost(*db))
		return reconnect(patience, db, err);
	if (!is_conflict(err))
		return -1;
	return wait_turn(patience);
}
