/* The present life's mark in the state file. */
#ifndef LOCUM_DISPATCHER_IMPRINT_H
#define LOCUM_DISPATCHER_IMPRINT_H

#include <stdbool.h>

#include "dispatcher/identity.h"

/* Has the file name the life that holds claims, and the latest timeline. When it cannot be written, for its disk is full,
 * it names a life that is over: after a restart this one's death is found by siblings, like that of one that crashes
 * before. Says so once, and when it is mended: *failed is from the last time. */
void imprint(struct identity *identity, struct uuid incarnation, int64_t timeline, bool *failed);

#endif
