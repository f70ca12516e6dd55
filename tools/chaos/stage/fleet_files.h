/* The configuration of a dispatcher. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_FLEET_FILES_H
#define LOCUM_TOOLS_CHAOS_STAGE_FLEET_FILES_H

#include "base/error.h"
#include "tools/chaos/stage/stage.h"

/* Writes FOLDER/locumd.conf for the dispatcher of that name, with these further settings. The handlers are plugin,
 * service, command, sql and, when the plan has one, user. */
int fleet_files_write(const struct stage *stage, const char *folder, const char *name,
		      const char *settings, struct error *err);

#endif
