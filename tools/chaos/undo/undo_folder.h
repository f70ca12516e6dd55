/* Removes a folder of a run. Any thread. */
#ifndef LOCUM_TOOLS_CHAOS_UNDO_UNDO_FOLDER_H
#define LOCUM_TOOLS_CHAOS_UNDO_UNDO_FOLDER_H

#include "base/error.h"

/* With all that it holds, but not what is mounted there, nor where links lead: 1, or 0 when it was not there. What a
 * killed PostgreSQL in it left in shared memory goes too. */
int undo_folder(const char *path, struct error *err);

#endif
