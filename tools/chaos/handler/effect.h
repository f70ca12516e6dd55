/*
 * What the harness's own handlers do: they write into the effect log (tools/chaos/history/history.h) that a run began, that it
 * goes on, and that it ended. A record is one write(2). Any thread.
 */
#ifndef LOCUM_TOOLS_CHAOS_HANDLER_EFFECT_H
#define LOCUM_TOOLS_CHAOS_HANDLER_EFFECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json_scan.h"

enum { EFFECT_BEAT_MS = 50, EFFECT_FAIL_SIZE = 64 };

/* What a payload asks for: {"work_us": N, "fail": "exit 3"}. "work_ms" is a thousand times as much. "segfault" and
 * "signal N" end the process, "swell" takes 256 MiB of memory in the end, the words of misdeed.h do what stands there. */
struct effect_payload {
	int64_t work_us;
	char fail[EFFECT_FAIL_SIZE]; /* "": nothing */
};

/* Reads it; what is not there, or no object, asks for nothing. */
void effect_read(struct json_span text, struct effect_payload *payload);

/* One run of a job. */
struct effect {
	int fd;
	char run[160]; /* JOB CLAIM SEQ PID */
};

/* Opens the log, which must be there. The texts are as the environment of a command has them. */
int effect_open(struct effect *effect, const char *path, const char *job, const char *claim,
		const char *seq, struct error *err);
void effect_close(struct effect *effect);

/* kind: "begin", "beat", "end". */
int effect_write(const struct effect *effect, const char *kind, struct error *err);

/* Works that long, with a beat now and then, until `ends` says so (NULL: never). */
void effect_work(const struct effect *effect, int64_t work_us, bool (*ends)(void *context),
		 void *context);

/* Fails by "segfault" and "signal N", takes memory by "swell". Returns the code of "exit N", 0 for anything else. */
int effect_fail(const char *fail);

int64_t effect_now_us(void);

#endif
