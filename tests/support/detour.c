#include "tests/support/detour.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

enum { PATIENCE_MS = 120000, LOOK_MS = 5 };

const struct relay_rule DETOUR_PASS = { .harm = RELAY_PASS };

void detour_open(struct detour *detour, const PGconn *server)
{
	struct error err = { 0 };

	snprintf(detour->folder, sizeof(detour->folder), "/tmp/locum-detour-XXXXXX");
	assert_non_null(mkdtemp(detour->folder));
	assert_int_equal(chmod(detour->folder, 0755), 0);
	detour->relay = relay_open(detour->folder, PQhost(server),
				   (int)strtol(PQport(server), NULL, 10), &err);
	if (detour->relay == NULL)
		fail_msg("%s", err.text);
}

void detour_close(struct detour *detour)
{
	relay_close(detour->relay);
	detour->relay = NULL;
	rmdir(detour->folder);
}

void detour_await(struct detour *detour, int64_t hits)
{
	int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (relay_hits(detour->relay) < hits) {
		if (clock_monotonic_ms() >= deadline_ms)
			fail_msg("the proxy did its harm %lld times, not %lld",
				 (long long)relay_hits(detour->relay), (long long)hits);
		poll(NULL, 0, LOOK_MS);
	}
}
