/* The folders and files of a stage. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_STAGE_FOLDER_H
#define LOCUM_TOOLS_CHAOS_STAGE_STAGE_FOLDER_H

#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/stage/stage.h"

/* Makes stage->scratch, noted in the ledger, with what comes with the harness in it, where everybody can read it, and
 * FOLDER/logs and the effect log. */
int stage_folder_make(struct stage *stage, struct error *err);

/* Makes SCRATCH/server a disk of its own that holds so many bytes. */
int stage_folder_limit(struct stage *stage, int64_t bytes, struct error *err);

/* Writes the clock in FOLDER as preload/skew.c reads it. */
int stage_folder_write_clock(const char *folder, int seconds, int fast, struct error *err);

/* Sees that FOLDER has the effect log, and removes stage->scratch. */
int stage_folder_remove(struct stage *stage, struct error *err);

#endif
