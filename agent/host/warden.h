/* What a plugin must not do to others, by mistake. Called once, before any thread. */
#ifndef LOCUM_AGENT_HOST_WARDEN_H
#define LOCUM_AGENT_HOST_WARDEN_H

#include "base/error.h"

/* From now on kill(2) refuses, with EPERM, to signal all processes (-1) and the parent, whatever user this process
 * has; also in what it starts. No privileges can be gained any more. Where the kernel cannot do that, root is refused
 * (ERROR_FATAL); another user's signals are the kernel's own business. */
int warden_enter(struct error *err);

#endif
