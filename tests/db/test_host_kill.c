/*
 * Plugin hosts that are killed at any instant: the effects of each job happen exactly once. The ledger table
 * is the witness. Between two hosts the test does what a dispatcher does: it hands back what the dead host
 * had, claims again, and believes no outcome over the database.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/database.h"
#include "tests/support/fifo.h"
#include "tests/support/fleet.h"
#include "tests/support/host_fixture.h"

enum { KILLS = 200, BATCH = 20, LATEST_US = 30000, PATIENCE_MS = 60000 };

static void start(struct host_fixture *f, void **state)
{
	host_fixture_open(f, *state);
	host_fixture_deed(f, "effect");
	host_fixture_function(f, "settle", "public.settle");
	database_do(f->d, "drop table if exists effect; create table effect (job bigint)");
	database_do(f->d,
		    "create or replace function settle(job bigint, payload json) returns json "
		    "language sql as $$ insert into effect values (job); select payload $$");
}

/* Claims a batch of new jobs or of those that were handed back, and gives it to the host. */
static size_t give(struct host_fixture *f, struct uuid *claim_id)
{
	static const char *const KINDS[] = { "effect", "settle" };
	struct wire_job jobs[BATCH];
	size_t count = (size_t)fleet_claim(f->d, f->dispatcher, BATCH, claim_id);
	PGresult *ids;
	char text[UUID_TEXT_SIZE];
	char query[256];

	snprintf(query, sizeof(query), "select id from locum.job where claim_id = '%s' order by id",
		 uuid_text(*claim_id, text));
	ids = PQexec(f->d->sql, query);
	assert_int_equal(PQntuples(ids), count);
	for (size_t i = 0; i < count; i++) {
		jobs[i] = host_fixture_job(strtoll(PQgetvalue(ids, (int)i, 0), NULL, 10),
					   KINDS[i % 2], "{}");
		jobs[i].claim_id = *claim_id;
	}
	PQclear(ids);
	if (count > 0)
		host_fixture_send(f, jobs, count);
	return count;
}

/* An instant that is as likely in the connection as in a job as between two. */
static void let_run(struct host_fixture *f)
{
	struct timespec at = { .tv_nsec = random() % LATEST_US * 1000 };
	struct pollfd nothing = { .fd = -1 };

	(void)f;
	ppoll(&nothing, 1, &at, NULL);
}

/* What the dead host still held: its backend ends by itself, which compare-and-swap waits for. */
static void take_back(struct host_fixture *f, struct uuid claim_id)
{
	char text[UUID_TEXT_SIZE];

	database_do(f->d,
		    "update locum.job set state = 'pending', lane = 0, claim_id = null, "
		    "incarnation = null, started_at = null, claimed_at = null, "
		    "interruptions = interruptions + 1 where claim_id = '%s'",
		    uuid_text(claim_id, text));
}

static void effects_happen_once_however_often_the_host_is_killed(void **state)
{
	int64_t began_ms = clock_monotonic_ms();
	struct host_fixture f;
	struct uuid claim_id;
	int64_t jobs = 0;

	start(&f, state);
	srandom((unsigned)time(NULL));
	for (int i = 0; i < KILLS; i++) {
		if (database_int(f.d, "select count(*) from locum.job") < BATCH) {
			database_do(f.d, "select locum.submit('h') from generate_series(1, %d)",
				    BATCH);
			jobs += BATCH;
		}
		host_fixture_start(&f);
		give(&f, &claim_id);
		let_run(&f);
		host_fixture_kill(&f);
		take_back(&f, claim_id);
	}
	host_fixture_start(&f);
	while (database_int(f.d, "select count(*) from locum.job") > 0) {
		assert_true(clock_monotonic_ms() - began_ms < PATIENCE_MS);
		if (database_int(f.d,
				 "select count(*) from locum.job where claim_id is not null") == 0)
			give(&f, &claim_id);
		else
			agent_events_await(&f.events, f.socket);
	}
	print_message("%lld jobs, %d kills, %lld ms\n", (long long)jobs, KILLS,
		      (long long)(clock_monotonic_ms() - began_ms));
	assert_int_equal(database_int(f.d, "select count(*) from effect"), jobs);
	assert_int_equal(database_int(f.d, "select count(distinct job) from effect"), jobs);
	assert_int_equal(
		database_int(f.d, "select count(*) from locum.finished where state = 'completed'"),
		jobs);
	assert_true(database_int(f.d, "select sum(interruptions) from locum.finished") > 0);
	host_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(effects_happen_once_however_often_the_host_is_killed),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
