/* Ends the files of those who may be killed before they can do so. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_HISTORY_SEAL_H
#define LOCUM_TOOLS_CHAOS_HISTORY_SEAL_H

#include "base/error.h"

/* Writes `closed` behind what stands in effect.log and in each worker-*.log of FOLDER, when nobody writes them any more. A
 * file whose last line is cut stays so. */
int seal_files(const char *folder, struct error *err);

#endif
