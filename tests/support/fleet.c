#include "tests/support/fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/rows.h"

enum { KILL_TRIES = 1000, RANGES_MAX = 2 * (LIMIT_PRIORITY_MAX + 1), BATCH_MAX = 16 };

int64_t fleet_submit(struct database *d, const char *format, ...)
{
	char call[DATABASE_QUERY_SIZE / 2];
	va_list list;

	va_start(list, format);
	vsnprintf(call, sizeof(call), format, list);
	va_end(list);
	return database_int(d, "select locum.submit(%s)", call);
}

PGresult *fleet_register(struct database *d, const struct fleet_birth *birth)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, birth->id);
	args_uuid(&args, birth->incarnation);
	args_uuid_or_null(&args, birth->former);
	args_text(&args, "host");
	args_int4(&args, 4711);
	args_text(&args, birth->machine == NULL ? "machine" : birth->machine);
	args_text(&args, "1.0");
	args_int8(&args, 30000);
	return database_call(d, "dispatcher_register", &args);
}

struct uuid fleet_dispatcher(struct database *d)
{
	const struct fleet_birth birth = { .id = uuid_make(), .incarnation = uuid_make() };
	PGresult *result = fleet_register(d, &birth);

	assert_true(rows_bool(result, 0, PQfnumber(result, "registered")));
	PQclear(result);
	return birth.incarnation;
}

/* One that lives may ping in between, or claim. */
static bool try_kill(struct database *d, struct uuid incarnation)
{
	char text[UUID_TEXT_SIZE];
	struct args args;
	PGresult *result;
	bool killed;
	int64_t seq = database_int(d,
				   "select seq from locum.dispatcher_ping where incarnation = '%s'",
				   uuid_text(incarnation, text));

	args_init(&args);
	args_uuid(&args, incarnation);
	args_int8(&args, seq);
	args_uuid(&args, uuid_make());
	args_text(&args, "{}");
	result = database_try(d, "dispatcher_death", &args);
	if (result == NULL && strcmp(d->err.sqlstate, "55P03") != 0)
		fail_msg("%s %s", d->err.sqlstate, d->err.text);
	killed = result != NULL && rows_count(result) == 1;
	PQclear(result);
	return killed;
}

void fleet_kill(struct database *d, struct uuid incarnation)
{
	int tries = KILL_TRIES;

	while (!try_kill(d, incarnation))
		assert_true(tries-- > 0);
}

int64_t fleet_reclaim(struct database *d, struct uuid incarnation, int most)
{
	return fleet_reclaim_after(d, incarnation, most, 0);
}

int64_t fleet_reclaim_after(struct database *d, struct uuid incarnation, int most, int passed)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	args_int4(&args, most);
	args_int4(&args, passed);
	return database_count(d, "job_reclaim", &args);
}

PGresult *fleet_claim_with(struct database *d, const struct fleet_claim *claim)
{
	static const char *const H[] = { "h" };
	int32_t queues[RANGES_MAX];
	int32_t priorities[RANGES_MAX];
	int32_t lanes[RANGES_MAX];
	int64_t cursors[RANGES_MAX];
	struct args args;

	for (int i = 0; i < RANGES_MAX; i++) {
		queues[i] = claim->queue_id == 0 ? 1 : claim->queue_id;
		priorities[i] = i / 2;
		lanes[i] = i % 2;
		cursors[i] = claim->cursor;
	}
	args_init(&args);
	args_uuid(&args, claim->incarnation);
	args_uuid(&args, claim->claim_id);
	args_int4_array(&args, queues, RANGES_MAX);
	args_int4_array(&args, priorities, RANGES_MAX);
	args_int4_array(&args, lanes, RANGES_MAX);
	args_int8_array(&args, cursors, RANGES_MAX);
	args_string_array(&args, claim->handlers == NULL ? H : claim->handlers,
			  claim->handlers == NULL ? 1 : claim->handler_count);
	args_int4(&args, claim->most);
	args_bool(&args, !claim->no_probation);
	return database_call(d, "job_claim", &args);
}

int64_t fleet_claim(struct database *d, struct uuid incarnation, int most, struct uuid *claim_id)
{
	const struct fleet_claim claim = { .incarnation = incarnation,
					   .claim_id = uuid_make(),
					   .most = most };
	PGresult *result = fleet_claim_with(d, &claim);
	int count = rows_count(result);

	PQclear(result);
	if (claim_id != NULL)
		*claim_id = claim.claim_id;
	return count;
}

int64_t fleet_claim_one(struct database *d, struct uuid incarnation, struct uuid *claim_id)
{
	const struct fleet_claim claim = { .incarnation = incarnation,
					   .claim_id = uuid_make(),
					   .most = 1 };
	PGresult *result = fleet_claim_with(d, &claim);
	int64_t id = rows_count(result) == 0 ? 0 : rows_int(result, 0, PQfnumber(result, "id"));

	PQclear(result);
	if (claim_id != NULL)
		*claim_id = claim.claim_id;
	return id;
}

struct fleet_outcome fleet_claim_placed(struct database *d, struct uuid incarnation)
{
	const struct fleet_claim claim = { .incarnation = incarnation,
					   .claim_id = uuid_make(),
					   .most = 1 };
	struct fleet_outcome outcome = { .claim_id = claim.claim_id, .outcome = "completed" };
	PGresult *result;

	fleet_submit(d, "'h'");
	result = fleet_claim_with(d, &claim);
	assert_int_equal(rows_count(result), 1);
	outcome.id = rows_int(result, 0, PQfnumber(result, "id"));
	outcome.place = rows_place(result, 0, PQfnumber(result, "place"));
	PQclear(result);
	return outcome;
}

bool fleet_start(struct database *d, int64_t id, struct uuid claim_id)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, &id, 1);
	args_uuid_array(&args, &claim_id, 1);
	args_int8_array(&args, (const int64_t[]){ 1000 }, 1);
	return database_count(d, "job_start", &args) == 1;
}

int64_t fleet_release(struct database *d, int64_t id, struct uuid claim_id)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, &id, 1);
	args_uuid_array(&args, &claim_id, 1);
	return database_count(d, "claim_release", &args);
}

static struct args_text text_of(const char *text)
{
	return (struct args_text){ text, text == NULL ? 0 : strlen(text) };
}

static PGresult *send_outcomes(struct database *d, struct args *args,
			       const struct fleet_outcome *outcomes, size_t count)
{
	int64_t ids[BATCH_MAX];
	struct uuid claims[BATCH_MAX];
	struct args_text texts[4][BATCH_MAX];
	int64_t ago_ms[BATCH_MAX];
	int64_t delay_ms[BATCH_MAX];
	struct row_place places[BATCH_MAX];

	assert_true(count <= BATCH_MAX);
	for (size_t i = 0; i < count; i++) {
		ids[i] = outcomes[i].id;
		claims[i] = outcomes[i].claim_id;
		texts[0][i] = text_of(outcomes[i].outcome);
		texts[1][i] = text_of(outcomes[i].result);
		texts[2][i] = text_of(outcomes[i].error);
		texts[3][i] = text_of(outcomes[i].log);
		ago_ms[i] = outcomes[i].ago_ms;
		delay_ms[i] = outcomes[i].delay_ms;
		places[i] = outcomes[i].place;
	}
	args_int8_array(args, ids, count);
	args_uuid_array(args, claims, count);
	for (int i = 0; i < 4; i++)
		args_text_array(args, texts[i], count);
	args_int8_array(args, ago_ms, count);
	args_int8_array(args, delay_ms, count);
	args_bool(args, outcomes[0].skip);
	args_place_array(args, places, count);
	return database_try(d, "job_complete", args);
}

static PGresult *complete(struct database *d, struct uuid incarnation, struct uuid completion_id,
			  struct uuid confirmed, const struct fleet_outcome *outcomes, size_t count)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	args_uuid(&args, completion_id);
	args_uuid_array(&args, &confirmed, uuid_is_none(confirmed) ? 0 : 1);
	return send_outcomes(d, &args, outcomes, count);
}

int fleet_complete_batch(struct database *d, struct uuid incarnation, struct uuid completion_id,
			 struct uuid confirmed, const struct fleet_outcome *outcomes, size_t count)
{
	PGresult *result = complete(d, incarnation, completion_id, confirmed, outcomes, count);
	int accepted = result == NULL ? -1 : rows_count(result);

	PQclear(result);
	return accepted;
}

const char *fleet_complete(struct database *d, struct uuid incarnation,
			   const struct fleet_outcome *outcome)
{
	const struct uuid none = { { 0 } };
	PGresult *result = complete(d, incarnation, uuid_make(), none, outcome, 1);

	if (result == NULL)
		fail_msg("%s %s", d->err.sqlstate, d->err.text);
	snprintf(d->text, sizeof(d->text), "%s",
		 rows_count(result) == 0 ? "" : rows_text(result, 0, PQfnumber(result, "state")));
	PQclear(result);
	return d->text;
}

const char *fleet_lookup(struct database *d, struct uuid completion_id, int64_t id,
			 struct uuid claim_id)
{
	struct args args;
	PGresult *result;

	args_init(&args);
	args_uuid(&args, completion_id);
	args_int8_array(&args, &id, 1);
	args_uuid_array(&args, &claim_id, 1);
	result = database_call(d, "completion_lookup", &args);
	assert_int_equal(rows_count(result), 1);
	snprintf(d->text, sizeof(d->text), "%s",
		 rows_text(result, 0, PQfnumber(result, "verdict")));
	PQclear(result);
	return d->text;
}
