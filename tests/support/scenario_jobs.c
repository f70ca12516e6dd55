#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

void scenario_gated(struct scenario *s)
{
	scenario_gate(s, "gate");
	scenario_handler(s, "gated", "", "begin; gate gate; note end");
	scenario_handler(s, "quick", "", "note run");
}

void scenario_submit(struct scenario *s, int count, const char *handler)
{
	database_do(s->database, "select locum.submit('%s') from generate_series(1, %d)", handler,
		    count);
}

void scenario_await_active(struct scenario *s, int count)
{
	scenario_await_noted(s, count, "start ");
	scenario_await(s, "select count(*) = %d from locum.job where state = 'active'", count);
}

void scenario_await_first_runs_gone(struct scenario *s, int first_job, int last_job)
{
	char start[32];

	for (int id = first_job; id <= last_job; id++) {
		snprintf(start, sizeof(start), "start %d 1 ", id);
		scenario_await_gone(s, scenario_noted_pid(s, start));
	}
}

void scenario_assert_done_once(struct scenario *s, int jobs)
{
	struct database *d = s->database;

	assert_int_equal(database_int(d, "select count(*) from locum.finished"), jobs);
	assert_int_equal(database_int(d, "select count(distinct id) from locum.finished "
					 "where state = 'completed'"),
			 jobs);
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 0);
	assert_int_equal(scenario_noted(s, "overlap "), 0);
}

void scenario_rest(struct scenario *s, struct scenario_daemon *daemon)
{
	scenario_freeze(s, daemon);
	scenario_await(
		s,
		"select bool_and(state = 'idle') from pg_stat_activity where "
		"right(application_name, 36) = (select incarnation::text from locum.dispatcher "
		"where pid = %d order by seq desc limit 1)",
		(int)daemon->pid);
}

PGconn *scenario_lock_row(struct scenario *s, const struct scenario_daemon *daemon)
{
	PGconn *holder = database_connection(s->database);
	char query[256];
	PGresult *result;

	snprintf(
		query, sizeof(query),
		"begin; select from locum.dispatcher where pid = %d and state = 'running' for update",
		(int)daemon->pid);
	result = PQexec(holder, query);
	assert_int_equal(PQntuples(result), 1);
	PQclear(result);
	return holder;
}

void scenario_await_claiming(struct scenario *s)
{
	scenario_await(s, "select exists (select from pg_stat_activity where "
			  "datname = current_database() and wait_event_type = 'Lock' and "
			  "application_name like 'locum/pump/%%')");
}
