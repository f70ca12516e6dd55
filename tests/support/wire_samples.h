/* Messages of the socket protocol to send and to tear up. They borrow from constants. */
#ifndef LOCUM_TESTS_SUPPORT_WIRE_SAMPLES_H
#define LOCUM_TESTS_SUPPORT_WIRE_SAMPLES_H

#include <stdint.h>

#include "base/wire.h"

/* The claim of all samples. */
extern const struct uuid WIRE_SAMPLES_CLAIM;

struct wire_bytes wire_samples_text(const char *string);
struct wire_job wire_samples_job(int64_t id);
struct wire_outcome wire_samples_outcome(int64_t id);

/* Fills two handlers, which the message borrows. */
struct wire_hello wire_samples_hello(struct handler *handlers);

#endif
