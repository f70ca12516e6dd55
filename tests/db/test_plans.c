#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/embedded.h"
#include "tests/support/database.h"

/* Jobs of one queue and priority, with statistics: a line as it is, where every index looks alike. */
static void fill(struct database *d)
{
	database_do(d, "alter table locum.job disable trigger edges");
	database_do(d, "insert into locum.job (queue_id, state, lane, handler) "
		       "select 1, 'pending', 1, 'h' from generate_series(1, 20000)");
	database_do(d,
		    "insert into locum.job (queue_id, state, lane, handler, claim_id, incarnation) "
		    "select 1, 'assigned', -2, 'h', gen_random_uuid(), gen_random_uuid() "
		    "from generate_series(1, 2000)");
	database_do(d, "alter table locum.job enable trigger edges");
	database_do(d, "analyze locum.job");
}

static const struct embedded_sql *find(const char *name)
{
	for (size_t i = 0; EMBEDDED_STATEMENTS[i].name != NULL; i++)
		if (strcmp(EMBEDDED_STATEMENTS[i].name, name) == 0)
			return &EMBEDDED_STATEMENTS[i];
	fail_msg("there is no statement %s", name);
	return NULL;
}

/* The generic plan of a statement. */
static const char *plan_of(struct database *d, const char *name)
{
	char nulls[128] = "";
	PGresult *described;
	int count;

	PQclear(PQprepare(d->sql, name, find(name)->text, 0, NULL));
	described = PQdescribePrepared(d->sql, name);
	count = PQnparams(described);
	PQclear(described);
	for (int i = 0; i < count; i++)
		strncat(nulls, i == 0 ? "(null" : ", null", sizeof(nulls) - strlen(nulls) - 1);
	database_text(d, "explain execute %s%s%s", name, nulls, count == 0 ? "" : ")");
	database_do(d, "deallocate %s", name);
	return d->text; /* of the explain: database_do leaves it */
}

/* One that has no plan. */
static bool is_command(const char *text)
{
	static const char *const COMMANDS[] = { "begin", "commit", "rollback", "set", "create" };

	while (strncmp(text, "--", 2) == 0)
		text = strchr(text, '\n') + 1;
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
		if (strncasecmp(text, COMMANDS[i], strlen(COMMANDS[i])) == 0)
			return true;
	return false;
}

static void pin(struct database *d)
{
	PGresult *result = PQexec(d->sql, find("session_pin")->text);

	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	PQclear(result);
}

static void assert_has(const char *plan, const char *part)
{
	if (strstr(plan, part) == NULL)
		fail_msg("not in the plan: %s\n%s", part, plan);
}

static void assert_lacks(const char *plan, const char *part)
{
	if (strstr(plan, part) != NULL)
		fail_msg("in the plan: %s\n%s", part, plan);
}

static void a_claim_walks_the_ready_index_in_its_order(void **state)
{
	struct database *d = *state;

	fill(d);
	for (int pinned = 0; pinned < 2; pinned++) {
		char plan[DATABASE_TEXT_SIZE];

		if (pinned)
			pin(d);
		else
			database_do(d, "set plan_cache_mode = force_generic_plan");
		snprintf(plan, sizeof(plan), "%s", plan_of(d, "job_claim"));
		assert_has(plan, "Index Scan using job_ready on job candidate");
		if (pinned)
			assert_has(plan, "Index Scan using job_suspect on job victim");
		assert_has(plan, "ROW(lane, id) >= ROW(range.lane, range.lowest)");
		assert_has(plan, "Tid Scan on job ");
		assert_lacks(plan, "Sort");
		assert_lacks(plan, "Seq Scan");
		assert_lacks(plan, "Materialize");
	}
}

static void a_look_walks_indexes_alone(void **state)
{
	struct database *d = *state;
	char plan[DATABASE_TEXT_SIZE];

	fill(d);
	pin(d);
	snprintf(plan, sizeof(plan), "%s", plan_of(d, "job_look"));
	assert_has(plan, "Index Scan using job_ready on job");
	assert_has(plan, "Index Cond: (queue_id = ANY");
	assert_has(plan, "using job_due on job");
	assert_has(plan, "using job_expires on job");
	assert_lacks(plan, "Sort");
	assert_lacks(plan, "Seq Scan");
}

/* However large the fleet is. */
static void a_scan_of_successors_reads_no_table_whole(void **state)
{
	struct database *d = *state;
	char plan[DATABASE_TEXT_SIZE];

	pin(d);
	snprintf(plan, sizeof(plan), "%s", plan_of(d, "successor_scan"));
	assert_has(plan, "Index Scan using dispatcher_ping_id on dispatcher_ping");
	assert_lacks(plan, "Sort");
	assert_lacks(plan, "Seq Scan on dispatcher");
}

static void no_pinned_statement_reads_all_jobs(void **state)
{
	static const char *const NAMES[] = {
		"job_claim",  "job_complete", "job_start",     "job_payload",   "job_reclaim",
		"job_due",    "job_expire",   "claim_unknown", "orphan_owners", "completion_lookup",
		"claim_look", "job_look",     "claim_release",
	};
	struct database *d = *state;

	fill(d);
	pin(d);
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		char plan[DATABASE_TEXT_SIZE];

		snprintf(plan, sizeof(plan), "%s", plan_of(d, NAMES[i]));
		assert_lacks(plan, "Seq Scan on job");
		assert_lacks(plan, "Hash Join");
		assert_lacks(plan, "Merge Join");
	}
	assert_has(plan_of(d, "job_complete"), "Tid Scan on job ");
}

/* Where nothing is known of the tables yet, and nothing is pinned: to compile a plan takes longer than to ping. */
static void no_statement_is_dear_enough_to_be_compiled(void **state)
{
	struct database *d = *state;
	double jit_above_cost = (double)database_int(
		d, "select setting from pg_settings where name = 'jit_above_cost'");

	database_do(d, "set plan_cache_mode = force_generic_plan");
	for (size_t i = 0; EMBEDDED_STATEMENTS[i].name != NULL; i++) {
		const char *cost;

		if (is_command(EMBEDDED_STATEMENTS[i].text))
			continue;
		cost = strstr(plan_of(d, EMBEDDED_STATEMENTS[i].name), "..");
		if (cost == NULL)
			fail_msg("%s has no plan", EMBEDDED_STATEMENTS[i].name);
		if (strtod(cost + 2, NULL) > jit_above_cost)
			fail_msg("%s costs %.12s", EMBEDDED_STATEMENTS[i].name, cost + 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_claim_walks_the_ready_index_in_its_order),
		DATABASE_TEST(a_look_walks_indexes_alone),
		DATABASE_TEST(a_scan_of_successors_reads_no_table_whole),
		DATABASE_TEST(no_statement_is_dear_enough_to_be_compiled),
		DATABASE_TEST(no_pinned_statement_reads_all_jobs),
	};

	return cmocka_run_group_tests_name("plans", tests, database_open, database_close);
}
