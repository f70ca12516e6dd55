/* A run that misbehaves (handler/misdeed.h), of a bout: what is known of it, and how it is looked for. The nemesis's thread. */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_CULPRIT_H
#define LOCUM_TOOLS_CHAOS_FAULTS_CULPRIT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "tools/chaos/faults/fault.h"

enum { CULPRIT_TEXT = 256, CULPRIT_AGENTS = 256 };

/* What is known of it beforehand. */
struct culprit_deed {
	const char *fault;
	const char *word;    /* in the payload */
	const char *handler; /* which section runs it */
	const char *proof;   /* what its note has to hold; NULL: that it lives is enough */
	int attempts;        /* that its job needs */
	int64_t most_ms;     /* from its note until its process is gone; 0: not judged */
};

/* bout->own */
struct culprit {
	const struct culprit_deed *deed;
	int64_t job;
	char number[24]; /* of the job */
	pid_t pid;
	uint64_t began;
	int64_t noted_us;
	int64_t gone_us; /* 0: it was not seen to go */
	char text[CULPRIT_TEXT];
	pid_t agents[CULPRIT_AGENTS];
	pid_t stall; /* the file system's process, or 0 */
	char mount[PATH_MAX];
	bool held; /* its job stayed its own while it could not be killed */
};

/* Makes it and notes the agents of now. */
struct culprit *culprit_make(struct bout *bout, const struct culprit_deed *deed, struct error *err);

/* Submits a job that misbehaves, and waits until it does. */
int culprit_commit(struct bout *bout, struct error *err);

/* Conditions for bout_await. */
bool culprit_is_gone(struct bout *bout);
bool culprit_has_ended(struct bout *bout); /* the job */

/* How many processes are left of a run, which began as the leader of a session. */
int culprit_left(pid_t leader);

/* The most memory that a process ever had, in KB; 0: nobody knows. */
long culprit_memory_kb(pid_t pid);

#endif
