/* An outbox without a pump: what ends, and what is to be sent of it. */
#ifndef LOCUM_TESTS_SUPPORT_OUTBOX_BENCH_H
#define LOCUM_TESTS_SUPPORT_OUTBOX_BENCH_H

#include <stdint.h>

#include "dispatcher/outbox.h"

/* Set-up and tear-down of a test; its state is a struct outbox. */
int outbox_bench_open(void **state);
int outbox_bench_close(void **state);

/* A job in its first run. */
struct holding outbox_bench_holding(int64_t id);

/* A text of an outcome; NULL is none. */
struct wire_bytes outbox_bench_bytes(const char *text);

/* A job was completed. */
void outbox_bench_add(struct outbox *outbox, int64_t id, const char *result);

/* The batch to send; it stays to be sent. */
struct outbox_batch *outbox_bench_batch(struct outbox *outbox);

#endif
