/* The connection of a plugin host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/host/store.h"
#include "tests/support/host_fixture.h"

/* A cancellation that was sent may reach the server after its job has ended. */
static void a_connection_that_was_aimed_at_serves_no_other_job(void **state)
{
	struct host_fixture f;
	struct store *store;
	int backends[3];

	host_fixture_open(&f, *state);
	store = store_open(f.d->conninfo);
	for (int i = 0; i < 3; i++) {
		struct wire_job job = host_fixture_claim(&f, "effect", "{}");
		struct gate_claim claim = { .id = job.id, .claim_id = job.claim_id };
		PGconn *conn;

		assert_int_equal(store_take(store, &claim, &conn, NULL), 1);
		backends[i] = PQbackendPID(conn);
		store_undo(store);
		if (i == 1 && store_aim(store))
			store_fire(store);
	}
	assert_int_equal(backends[0], backends[1]);
	assert_int_not_equal(backends[1], backends[2]);
	store_close(store);
	host_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_connection_that_was_aimed_at_serves_no_other_job),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
