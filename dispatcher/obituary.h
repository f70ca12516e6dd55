/* What a dispatcher has to say of a life of its own that siblings ended. */
#ifndef LOCUM_DISPATCHER_OBITUARY_H
#define LOCUM_DISPATCHER_OBITUARY_H

#include <stdint.h>

#include "base/uuid.h"
#include "db/db.h"

/* Records in the database that the dead one is there, and logs who declared it dead and why it may have been. ack_boot_ms
 * is when its last acknowledged ping was sent (CLOCK_BOOTTIME). */
void obituary_write(struct db *db, struct uuid incarnation, int64_t ack_boot_ms);

#endif
