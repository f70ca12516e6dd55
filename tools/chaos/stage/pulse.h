/* The pulse of the machine: a thread that wakes up often, and writes down when it was late, for then everybody on the
 * machine was. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_PULSE_H
#define LOCUM_TOOLS_CHAOS_STAGE_PULSE_H

#include "base/error.h"
#include "tools/chaos/history/history.h"

struct pulse;

/* Writes `stall` into the history, which must outlive it; NULL on error. */
struct pulse *pulse_start(struct history *history, struct error *err);

/* Ends the thread and frees the pulse; NULL: nothing. */
void pulse_stop(struct pulse *pulse);

#endif
