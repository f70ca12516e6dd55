/* The load of an act: clients that submit at a rate, as long as not too much is unfinished. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_LOAD_H
#define LOCUM_TOOLS_CHAOS_PLAY_LOAD_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/stage/stage.h"

/* Starts the clients of stage->act and sets stage->load. */
int load_start(struct stage *stage, struct error *err);

/* Nothing new is submitted from now on. Waits until it is known what became of all that was, at most that long. */
void load_stop(struct load *load, int64_t timeout_ms);

/* Ends what is left of it, and frees it. NULL is none. */
void load_free(struct load *load);

/* Jobs that the database has and that have not ended, when it was last asked: some ten times a second. */
int64_t load_unfinished(const struct load *load);

/* Waits until none is unfinished, at most that long and not after *hurry was set; sets *left to how many still are. */
int load_drain(struct load *load, int64_t timeout_ms, atomic_bool *hurry, int64_t *left,
	       struct error *err);

/* --- apart from the steady load; one thread, that of the nemesis -------------------------------- */

/* load_submit with options of locum.submit, a JSON object. */
int load_submit_as(struct load *load, const char *handler, const char *payload, const char *options,
		   int64_t *job, struct error *err);

/* See client.h. */
bool load_cancel(struct load *load, int64_t job);
int load_retry(struct load *load, int64_t job, int64_t *again, struct error *err);
void load_adopt(struct load *load, int64_t job);

#endif
