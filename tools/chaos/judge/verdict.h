/* What the judge found: of an act, and of a run, which is as good as its worst act. */
#ifndef LOCUM_TOOLS_CHAOS_JUDGE_VERDICT_H
#define LOCUM_TOOLS_CHAOS_JUDGE_VERDICT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum verdict_valid { VERDICT_VALID, VERDICT_INVALID, VERDICT_UNKNOWN };

/* VERDICT(name, what it is that must not be) : each is a list of what violated it */
#define VERDICT_INVARIANTS(X)                                                                      \
	X(S1, "accept-once", "a job was accepted more than once")                                  \
	X(S2, "fence", "a completion was accepted without the latest claim")                       \
	X(S3, "no-loss", "an acknowledged job is missing or has not ended")                        \
	X(S4, "no-phantom", "a job that nobody submitted")                                         \
	X(S5, "truthful-client", "a worker or client was told what is not so")                     \
	X(S6, "lease-exclusion", "two claims of a job at a time")                                  \
	X(S7, "live-owner", "a claim by a dispatcher that was dead")                               \
	X(S8, "lawful-death", "a death without the evidence, or a ping acknowledged after it")     \
	X(S9, "abandon", "something was done with a job after its loss was known")                 \
	X(S10, "bounded-attempts", "more runs than allowed")                                       \
	X(S11, "limits", "more leases than a limit allows")                                        \
	X(S12, "legal-transitions", "a step that is no edge of the states")                        \
	X(S13, "effect-discipline", "two runs of a job overlapped")                                \
	X(L1, "drains", "a job did not end after the faults")                                      \
	X(L2, "reclaim-bound", "a dead dispatcher's jobs came back too late")                      \
	X(L3, "no-leak", "a claim that nobody living knew of")                                     \
	X(L4, "returns", "a living dispatcher that was declared dead did not come back")           \
	X(L5, "no-starvation", "a job waited too long while others ran")                           \
	X(L6, "poll-bound", "a job was picked up later than a poll interval after it could be")

#define VERDICT_INVARIANT(name, word, text) VERDICT_##name,
enum verdict_invariant { VERDICT_INVARIANTS(VERDICT_INVARIANT) VERDICT_INVARIANT_COUNT };
#undef VERDICT_INVARIANT

enum { VERDICT_EXAMPLES = 5, VERDICT_TEXT = 256, VERDICT_FAULTS = 256 };

/* What violated an invariant: how often, and the first few in words. */
struct verdict_violations {
	int64_t count;
	char examples[VERDICT_EXAMPLES][VERDICT_TEXT];
};

struct verdict_fault {
	char name[64];
	int injected;
	int witnessed;
	int broken; /* its own criterion was not met */
	int deaths;
	int64_t reclaim_max_ms;
	int64_t back_max_ms; /* from the heal until work went on at 90 % */
};

struct verdict {
	enum verdict_valid valid;
	char why[VERDICT_TEXT]; /* of invalid and unknown: the first reason */
	struct verdict_violations of[VERDICT_INVARIANT_COUNT];
	int64_t attempted, acknowledged, ended, completed, failed, cancelled, expired;
	int64_t lost, lost_by_failover, unexpected, duplicate_accepts, stale_accepts, orphans,
		leaked_claims, false_truths, recovered;
	int64_t submissions_unknown, submissions_resolved;
	int64_t commits_unknown, resolved_accepted, resolved_lost, unresolved;
	int64_t conflicts, reclaims, deaths_true, deaths_false, deaths_forced;
	int64_t completions_lost;  /* that were accepted, by a failover */
	char lost_ids[64];         /* the first of the jobs that it lost, each behind a space */
	int64_t pairs, half_pairs; /* faults that overlapped; those of which one bit alone */
	int64_t crashes;           /* of dispatchers and agents, by signals that no fault sends */
	int64_t reclaim_p50_ms, reclaim_p99_ms, reclaim_max_ms;
	int64_t overlaps, overlap_max_ms;
	int64_t paced, back_max_ms; /* faults after which it was seen when work went on at 90 % */
	int64_t untold;             /* criteria of faults for which there were too few samples */
	int64_t runs;               /* executions begun, by the effect log */
	struct verdict_fault faults[VERDICT_FAULTS];
	size_t fault_count;
	int64_t skipped;
};

struct verdict_act {
	char *name; /* of the act's folder */
	struct verdict verdict;
};

/* The verdicts of a run: of each act, and of the whole. */
struct verdict_run {
	struct verdict whole;
	struct verdict_act *acts;
	size_t act_count;
};

/* Counts a violation and keeps its words if it is among the first. */
void verdict_violate(struct verdict *verdict, enum verdict_invariant invariant, const char *format,
		     ...) __attribute__((format(printf, 3, 4)));

/* Counts an acknowledged job that a failover lost, and keeps its id if it is among the first. */
void verdict_lose(struct verdict *verdict, int64_t job);

/* Adds another act's to a run's. */
void verdict_add(struct verdict *whole, const struct verdict *act);

const char *verdict_name(enum verdict_invariant invariant); /* "S1" */
const char *verdict_word(enum verdict_invariant invariant); /* "accept-once" */

/* The act's of that name; NULL: there is none. run may be NULL: none. */
const struct verdict *verdict_of_act(const struct verdict_run *run, const char *name);
void verdict_run_free(struct verdict_run *run);

/* As it is written; the caller's. */
json_t *verdict_json(const struct verdict *verdict);

/* FOLDER/verdict.json */
int verdict_write(const struct verdict *verdict, const char *folder, struct error *err);
int verdict_read(struct verdict *verdict, const char *folder, struct error *err);

#endif
