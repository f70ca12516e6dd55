/* What the service manager shows of this dispatcher: "STATUS=3/8 busy". Owned by the pump's thread. */
#ifndef LOCUM_DISPATCHER_STATUS_H
#define LOCUM_DISPATCHER_STATUS_H

#include "dispatcher/pump_state.h"

/* Tells it what has changed, at most once a second. */
void status_tell(struct pump *pump);

#endif
