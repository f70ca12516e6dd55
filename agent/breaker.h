/*
 * When the processes of a service may be started again, and whether its jobs are better left to others.
 * Pure: time is given, in milliseconds of CLOCK_MONOTONIC. Owned by the loop's thread.
 *
 * The first crash after a success is followed by a new process at once, the next ones by waits that double.
 * BREAKER_CRASHES of them within BREAKER_WINDOW_MS without a job that succeeds open the breaker. It closes when
 * a process, started to find out, says that it is ready; until a job succeeds one more crash opens it again.
 *
 * Processes that die together, by one cause (the kernel is out of memory, somebody kills them all), are one crash: one
 * that comes within BREAKER_EVENT_MS of a counted crash counts only if its process was born after that.
 */
#ifndef LOCUM_AGENT_BREAKER_H
#define LOCUM_AGENT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_CRASHES = 5, BREAKER_WINDOW_MS = 60000 };
enum { BREAKER_EVENT_MS = 1000 };
enum { BREAKER_BASE_MS = 100, BREAKER_CAP_MS = 60000 };

/* All zero at first. */
struct breaker {
	int crashes;      /* within the window, since the last success */
	int waits;        /* since the last success */
	int64_t first_ms; /* the first of the crashes */
	int64_t last_ms;  /* the last of them */
	int64_t due_ms;   /* nothing is started before */
	bool open;
	bool on_probation;
};

/* A process crashed that was started lived_ms ago (0: it could not be). Returns whether the breaker opens by it. */
bool breaker_crash(struct breaker *breaker, int64_t lived_ms, int64_t now_ms);

/* It cannot even be started. The same, at once. */
bool breaker_trip(struct breaker *breaker, int64_t now_ms);

/* A process is ready. Returns whether the breaker closes by it. */
bool breaker_ready(struct breaker *breaker);

/* A job succeeded. */
void breaker_success(struct breaker *breaker);

#endif
