/* One job of the command line, on its way into the database. */
#ifndef LOCUM_TOOLS_LOCUM_SINGLE_H
#define LOCUM_TOOLS_LOCUM_SINGLE_H

#include <stdint.h>

#include "base/error.h"
#include "db/db.h"
#include "tools/locum/job_flags.h"

struct single;

/* Connects. The flags, which have been read, are borrowed. stop_fd ends the patience; -1: nothing does. NULL on
 * failure. */
struct single *single_open(const struct job_flags *flags, int stop_fd, struct error *err);
void single_close(struct single *single);

/* Stores the job and sets *id. Tries again as long as the flags say; a job whose answer was lost is not stored
 * twice. */
int single_store(struct single *single, int64_t *id, struct error *err);

/* Says so if nobody serves the stored job; --strict has refused it already. */
void single_warn(struct single *single);

/* The connection, which stays the single's. */
struct db **single_db(struct single *single);

#endif
