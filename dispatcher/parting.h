/* The parting from an agent that died: what it held goes back. */
#ifndef LOCUM_DISPATCHER_PARTING_H
#define LOCUM_DISPATCHER_PARTING_H

#include "dispatcher/pump_state.h"

/* Its process is gone, and so is all that it ran. What has not started goes back uncounted; so does what ran beside a job
 * on probation, unless its policy forbids another run; the rest was interrupted. */
void parting_take(struct pump *pump, int agent);

#endif
