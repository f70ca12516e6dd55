/* What became of a run whose main process has ended. Owned by the loop's thread. */
#ifndef LOCUM_AGENT_VERDICT_H
#define LOCUM_AGENT_VERDICT_H

#include "agent/run.h"

#define VERDICT_TEXT_CANCELLED "cancelled on request"
#define VERDICT_TEXT_RECALLED "released: recalled before it began"
#define VERDICT_TEXT_STOPPED "stopped: the dispatcher is shutting down"
#define VERDICT_TEXT_FENCED "fenced: the dispatcher could not prove in time that it is alive"

/* Sets the run's verdict and error from the way it ended, why it was ended, and what it left as its
 * result; an unfit result is dropped. */
void verdict_judge(struct run *run);

#endif
