#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/ledger.h"

static struct holding *add(struct ledger *ledger, int64_t id, struct uuid claim_id, int agent)
{
	struct holding holding = { .id = id, .claim_id = claim_id, .agent = (short)agent };
	struct holding *added = ledger_add(ledger, &holding);

	assert_non_null(added);
	return added;
}

static void a_holding_is_found_only_under_its_own_claim(void **state)
{
	struct ledger *ledger = ledger_open();
	struct uuid first = uuid_make();
	struct uuid second = uuid_make();
	struct holding *holding = add(ledger, 7, first, 0);

	(void)state;
	assert_ptr_equal(ledger_find(ledger, 7, first), holding);
	assert_null(ledger_find(ledger, 7, second));
	assert_null(ledger_find(ledger, 8, first));
	ledger_close(ledger);
}

static void two_claims_on_one_job_stand_side_by_side(void **state)
{
	struct ledger *ledger = ledger_open();
	struct uuid first = uuid_make();
	struct uuid second = uuid_make();
	struct holding *former = add(ledger, 7, first, 0);
	struct holding *latter = add(ledger, 7, second, 0);

	(void)state;
	ledger_drop(ledger, former);
	assert_null(ledger_find(ledger, 7, first));
	assert_ptr_equal(ledger_find(ledger, 7, second), latter);
	assert_int_equal(ledger_count(ledger), 1);
	ledger_close(ledger);
}

static void holdings_keep_their_addresses_while_the_table_grows(void **state)
{
	enum { COUNT = 5000 };
	struct ledger *ledger = ledger_open();
	struct uuid claim_id = uuid_make();
	struct holding *holdings[COUNT];

	(void)state;
	for (int i = 0; i < COUNT; i++)
		holdings[i] = add(ledger, i * 3, claim_id, 0);
	assert_int_equal(ledger_count(ledger), COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_ptr_equal(ledger_find(ledger, i * 3, claim_id), holdings[i]);
	for (int i = 0; i < COUNT; i += 2)
		ledger_drop(ledger, holdings[i]);
	for (int i = 0; i < COUNT; i++)
		assert_ptr_equal(ledger_find(ledger, i * 3, claim_id),
				 i % 2 == 0 ? NULL : holdings[i]);
	ledger_close(ledger);
}

static void the_load_of_an_agent_is_what_has_not_ended(void **state)
{
	struct ledger *ledger = ledger_open();
	struct uuid claim_id = uuid_make();
	struct holding *one = add(ledger, 1, claim_id, 2);
	struct holding *two = add(ledger, 2, claim_id, 2);

	(void)state;
	add(ledger, 3, claim_id, LIMIT_AGENTS - 1);
	assert_int_equal(ledger_load(ledger, 2), 2);
	assert_int_equal(ledger_load(ledger, LIMIT_AGENTS - 1), 1);
	ledger_advance(ledger, one, HOLDING_ENDED);
	assert_int_equal(ledger_load(ledger, 2), 1);
	ledger_drop(ledger, one);
	assert_int_equal(ledger_load(ledger, 2), 1);
	ledger_drop(ledger, two);
	assert_int_equal(ledger_load(ledger, 2), 0);
	assert_int_equal(ledger_count(ledger), 1);
	ledger_close(ledger);
}

static void a_stage_never_goes_back_and_an_end_counts_once(void **state)
{
	struct ledger *ledger = ledger_open();
	struct holding *holding = add(ledger, 1, uuid_make(), 0);

	(void)state;
	ledger_advance(ledger, holding, HOLDING_ENDED);
	ledger_advance(ledger, holding, HOLDING_STARTED);
	assert_int_equal(holding->stage, HOLDING_ENDED);
	ledger_advance(ledger, holding, HOLDING_ENDED);
	assert_int_equal(ledger_load(ledger, 0), 0);
	ledger_close(ledger);
}

struct tour {
	struct ledger *ledger;
	int seen[1000];
};

static void see_and_drop_odd(struct holding *holding, void *context)
{
	struct tour *tour = context;

	tour->seen[holding->id]++;
	if (holding->id % 2 == 1)
		ledger_drop(tour->ledger, holding);
}

static void each_holding_is_visited_once_though_some_are_dropped_on_the_way(void **state)
{
	struct tour tour = { .ledger = ledger_open() };

	(void)state;
	for (int i = 0; i < 1000; i++)
		add(tour.ledger, i, uuid_make(), 0);
	ledger_each(tour.ledger, see_and_drop_odd, &tour);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(tour.seen[i], 1);
	assert_int_equal(ledger_count(tour.ledger), 500);
	ledger_close(tour.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_holding_is_found_only_under_its_own_claim),
		cmocka_unit_test(two_claims_on_one_job_stand_side_by_side),
		cmocka_unit_test(holdings_keep_their_addresses_while_the_table_grows),
		cmocka_unit_test(the_load_of_an_agent_is_what_has_not_ended),
		cmocka_unit_test(a_stage_never_goes_back_and_an_end_counts_once),
		cmocka_unit_test(each_holding_is_visited_once_though_some_are_dropped_on_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
