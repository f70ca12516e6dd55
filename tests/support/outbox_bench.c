#include "tests/support/outbox_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct holding outbox_bench_holding(int64_t id)
{
	return (struct holding){ .id = id,
				 .claim_id = uuid_make(),
				 .attempt = 1,
				 .max_attempts = 5,
				 .started_ms = 1234 };
}

struct wire_bytes outbox_bench_bytes(const char *text)
{
	return (struct wire_bytes){ text, text == NULL ? 0 : (uint32_t)strlen(text) };
}

void outbox_bench_add(struct outbox *outbox, int64_t id, const char *result)
{
	struct holding held = outbox_bench_holding(id);
	struct wire_outcome outcome = { .verdict = VERDICT_DONE,
					.started_ms = 7,
					.result = outbox_bench_bytes(result) };

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
}

struct outbox_batch *outbox_bench_batch(struct outbox *outbox)
{
	struct error err;
	struct outbox_batch *batch = outbox_send(outbox, 0, &err);

	assert_non_null(batch);
	outbox_unsent(batch);
	return batch;
}

int outbox_bench_open(void **state)
{
	*state = outbox_open();
	return *state == NULL;
}

int outbox_bench_close(void **state)
{
	outbox_close(*state);
	return 0;
}
