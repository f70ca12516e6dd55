/* The configuration of a private server. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_SERVER_FILES_H
#define LOCUM_TOOLS_CHAOS_STAGE_SERVER_FILES_H

#include "base/error.h"
#include "tools/chaos/stage/server.h"

/* Writes postgresql.conf's additions, pg_hba.conf and pg_ident.conf into the data folder. Those who run the harness, its
 * handlers and the server itself may connect, through the socket; nobody else. */
int server_files_write(const char *data, const struct server_terms *terms, struct error *err);

#endif
