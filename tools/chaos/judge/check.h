/*
 * What the judge's parts share. checker.c reads the histories one after the other, in this order: nemesis, database,
 * workers, clients, effects, final; each part fills in what the later ones hold against it. Times are those of
 * CLOCK_MONOTONIC in microseconds, the database's too. One thread.
 */
#ifndef LOCUM_TOOLS_CHAOS_JUDGE_CHECK_H
#define LOCUM_TOOLS_CHAOS_JUDGE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/judge/check_map.h"
#include "tools/chaos/judge/checker.h"
#include "tools/chaos/judge/verdict.h"

enum {
	CHECK_SLACK_US = 500000,        /* what a loaded machine may add to a bound */
	CHECK_CLOCK_US = 100000,        /* how far two clocks may seem apart */
	CHECK_CLOCK_LAST_US = 60000000, /* how long the last reading of the clock holds */
	CHECK_THAW_US = 100000,         /* how long a run may go on after the thaw of its agent */
	CHECK_FLAPS =
		10, /* death intervals: so long a life ends flapping, and no pause for it is longer */
	CHECK_PEACE_US = 2000000,    /* without a bout, in which everybody can ask */
	CHECK_STARVED_US = 60000000, /* later jobs may be taken so much earlier */
	CHECK_NO_LIFE = UINT16_MAX,  /* nobody that is known */
	CHECK_CLAIMS_MAX = 1000,     /* of one job; more is a circle */
	CHECK_BUCKET_US = 100000,    /* ends of jobs are counted by these spans */
	CHECK_CLOCKS_BACK = 256,     /* readings of the clock within which a transaction ends */
	CHECK_LATENCY_PLACES = 320,  /* of a distribution of waits */
	CHECK_SKIPPED = 1 << 30,     /* instead of how often */
};

/* From sending to answer; from being ready to the first claim, and to the end if that was the only one. */
enum check_latency_kind { CHECK_PING, CHECK_CLAIM, CHECK_END, CHECK_LATENCIES };

/* How many took how long. */
struct check_latency {
	uint32_t counts[CHECK_LATENCY_PLACES];
	uint32_t count;
};

/* Where a job stands by the database's witness. */
enum check_step {
	CHECK_ABSENT,
	CHECK_READY,
	CHECK_WAITING, /* unclaimed and not ready: scheduled, held, waiting */
	CHECK_ASSIGNED,
	CHECK_ACTIVE,
	CHECK_ENDED,
};

enum check_flag {
	CHECK_ACKNOWLEDGED = 1 << 0, /* a client was told that it is stored */
	CHECK_ACCEPTED = 1 << 1,     /* a worker was told that its end was accepted */
	CHECK_FINAL = 1 << 2,        /* in the last read */
	CHECK_CLAIMED_END = 1 << 3,  /* it ended by the claim that it has */
	CHECK_UNKEPT = 1 << 4,       /* its queue keeps no finished jobs */
	CHECK_SILENT = 1 << 5,       /* its runs leave no trace in effect.log */
	CHECK_TOLD_CLAIM = 1 << 6,   /* its worker wrote down its last claim, */
	CHECK_TOLD_END = 1 << 7,     /* and what it sent, or learnt, as that claim's end */
	CHECK_RAN = 1 << 8,          /* a run began under it */
	CHECK_STARTED = 1 << 9,      /* the database knows that it was started */
	CHECK_BEGUN = 1 << 10,       /* its worker handed it to an agent */
	CHECK_DONE = 1 << 11,        /* its worker sent an end that only a run can come to */
	CHECK_LOST = 1 << 12,        /* its worker knew that it was reassigned */
	CHECK_USERS = 1 << 13,       /* for the user's handler */
	CHECK_BRITTLE = 1 << 14,     /* one interruption ends it */
	CHECK_FRESH = 1 << 15,       /* claimed too late for its owner to know of it */
};

/* All that is kept of a job. */
struct check_job {
	uint64_t claim;    /* the key of its latest claim; 0: none yet */
	uint32_t seq;      /* that claim's */
	uint32_t since_ms; /* since the act began: when it became ready last, or ended */
	uint32_t run_seq;  /* of the run that began last */
	uint16_t life;     /* whose that claim is */
	uint16_t claims;
	uint16_t runs;
	uint16_t attempts; /* it may have, at most */
	uint8_t known;     /* claims that a worker has written down; 255: or more */
	uint8_t step : 4;
	uint8_t end : 4; /* enum check_end */
	uint16_t flags;
};
_Static_assert(sizeof(struct check_job) <= 32, "a job costs 32 bytes");

enum check_end { CHECK_COMPLETED, CHECK_FAILED, CHECK_CANCELLED, CHECK_EXPIRED, CHECK_NO_END };

/* An incarnation of a dispatcher. */
struct check_life {
	uint64_t key; /* of its incarnation */
	uint64_t id;  /* of the dispatcher's */
	char name[UUID_TEXT_SIZE];
	int64_t born_us;
	int64_t ended_us; /* 0: it lives */
	bool is_dead;     /* declared dead; else gone in good order, if it ended */
	uint64_t rival;   /* an incarnation of the same dispatcher that was born before its end */
	uint64_t killer;  /* the incarnation that declared it dead */
	int64_t age_us;   /* of its last ping then, by the database */
	int64_t interval_us;  /* that it was declared dead by; negative: its ping stayed */
	int64_t successor_us; /* when the next incarnation of the same dispatcher was born, or 0 */
	int64_t held;         /* claims now */
	int64_t idle_us;      /* since when there are none */
	int64_t claims;
	int64_t back_us;       /* when the last claim came back after its death */
	int pid;               /* from the worker's log, 0: it is in none */
	int place;             /* of its dispatcher in the fleet, or -1 */
	int crowd;             /* the bout that started its dispatcher, or 0 */
	bool told_dead;        /* its process found out that it was declared dead, */
	bool returned;         /* and took the next incarnation */
	int64_t contact_us;    /* the database's last answer before its end */
	int64_t unanswered_us; /* when the first ping since that was sent, or 0 */
	int64_t ping_sent_us; /* when the last ping that was acknowledged before its end was sent */
	bool lived_on;
};

struct check_bout {
	int number;
	size_t fault; /* in the verdict's list */
	unsigned demands;
	int target;          /* the dispatcher that it hurts, by its place in the fleet; -1: none */
	bool narrow;         /* it hurts no other */
	int64_t injected_us; /* 0: it was not */
	int64_t healed_us;
	int64_t settled_us; /* INT64_MAX while it is not */
	int witnesses;
	bool again;  /* it was injected anew, alone */
	bool empty;  /* it was to show a reclaim, and who died held nothing, */
	bool spared; /* or its target did not die */
	bool slow;   /* work did not go on in time when it was healed */
	struct check_latency *latencies[CHECK_LATENCIES]; /* while it was on; NULL: not demanded */
};

struct check_reclaim {
	size_t life;
	int64_t at_us;
};

/* The machine stood still. */
struct check_stall {
	int64_t from_us;
	int64_t until_us;
};

struct check_clock {
	int64_t at_us;
	int64_t offset_us; /* AT minus the database's time */
};

/* Times of something that a fault may forbid. */
struct check_times {
	int64_t *at_us;
	size_t count;
	size_t room;
};

struct check {
	struct verdict *verdict;
	const char *folder;
	const char *file; /* that is being read */
	int64_t line;
	void *own;                  /* of the part that reads */
	char unsound[VERDICT_TEXT]; /* why the histories prove nothing, or "" */
	bool proven;                /* the database alone shows a violation */
	char gap[VERDICT_TEXT]; /* the first that should have been written down and is not, or "" */
	int64_t gaps;

	/* the act's settings */
	char stage[32];
	int64_t ping_us, death_us, scan_us, poll_us, began_us, began_real_us;
	int64_t leases, clients, played;
	uint64_t seed;
	char name[64];
	const struct checker_terms *terms; /* NULL: the act's file is believed */
	struct check_map demands;          /* by the fault's name, where the act says them */

	/* the nemesis */
	struct check_bout *bouts;
	size_t bout_count, bout_room;
	struct check_clock *clocks;
	size_t clock_count, clock_room, clock_at;
	struct check_stall *stalls;
	size_t stall_count, stall_room;
	bool ended, may_lose, forgets;
	uint64_t begun_seed;  /* as nemesis.log says it */
	struct check_map met; /* by the fault's name: how often it was injected, or CHECK_SKIPPED */
	int64_t undrained;    /* -1: it did not say */
	int64_t drained;      /* so many jobs had been acknowledged to the load then */
	int64_t ended_us;     /* when the database's record was collected */

	/* the database */
	struct check_job **pages;
	int64_t first_page;
	size_t page_count;
	struct check_life *lives;
	size_t life_count, life_room;
	struct check_map life_by_key;
	struct check_map
		backs; /* pairs of a job and the claim that ended without ending it (check_claims.c) */
	struct check_reclaim *reclaims;
	size_t reclaim_count, reclaim_room;
	uint32_t newest_ready_ms; /* of what was claimed so far */
	int64_t last_claim_us;
	int64_t stored;
	uint32_t *ends; /* by spans since the act began */
	size_t end_room;

	/* workers */
	struct check_times conflicts;
	struct check_times attempts;
	struct check_times unknowns; /* completions of unknown fate */

	/* waits */
	bool has_latencies;                         /* a bout demands some */
	struct check_latency calm[CHECK_LATENCIES]; /* while none was on */
	size_t latency_at;
	int64_t told; /* criteria of faults for which there were enough samples */
};

/* --- reading (checker.c's helpers, check_read.c) ------------------------------------------------ */

/* Takes a record; false: it is none of that kind. words[0] is the kind. */
typedef bool check_read_take(struct check *check, int64_t at_us, char **words, size_t count);

struct check_read_kind {
	const char *kind; /* NULL ends the list */
	size_t least;     /* words with the kind */
	size_t most;      /* 0: any number */
	check_read_take *take;
};

/* Reads a history. A record that is not among the kinds, a line that is no record, a missing end, or a file that is not
 * there makes the act unsound. Returns whether it is whole. */
bool check_read(struct check *check, const char *name, const struct check_read_kind *kinds);

/* The same for all files that begin and end so. Returns how many there are. */
size_t check_read_all(struct check *check, const char *begins, const char *ends,
		      const struct check_read_kind *kinds, void (*done)(struct check *));

/* The number that the word is; false when it is none. */
bool check_read_number(const char *word, int64_t *number);

/* Notes why the histories prove nothing; the first reason stays. */
void check_read_unsound(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Notes that something was not written down. What else was still proves what it proves; the first is told. */
void check_read_gap(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes room for one more behind count items of that size; false when memory ends, which is noted. */
bool check_read_room(struct check *check, void *items, size_t *room, size_t count, size_t size);

void check_read_time(struct check *check, struct check_times *times, int64_t at_us);

/* Whether the drain was given up, and the database had no more time to record what was done by then. */
bool check_read_is_behind_record(const struct check *check, int64_t at_us);

bool check_read_any(const struct check_times *times, int64_t from_us, int64_t to_us);

/* --- jobs and lives ----------------------------------------------------------------------------- */

/* The job, made absent if it was not known. NULL: no such id can be; the act is unsound then. */
struct check_job *check_jobs_at(struct check *check, int64_t id);

/* Calls it for every job that something is known of. */
void check_jobs_each(struct check *check,
		     void (*visit)(struct check *, int64_t id, struct check_job *job));
void check_jobs_fini(struct check *check);

/* The life of an incarnation; NULL: not known. */
struct check_life *check_lives_find(const struct check *check, const char *incarnation);
struct check_life *check_lives_add(struct check *check, const char *incarnation);
size_t check_lives_place(const struct check *check, const struct check_life *life);

/* Whose the job's latest claim is; NULL: nobody's that is known. */
struct check_life *check_lives_of(const struct check *check, const struct check_job *job);

/* --- claims ------------------------------------------------------------------------------------- */

/* One that ended without ending its job. */
struct check_claim {
	int64_t back_us;
	uint16_t life; /* whose it was, or CHECK_NO_LIFE */
	uint16_t flags;
};

/* The job's latest claim came back. */
void check_claims_back(struct check *check, int64_t id, const struct check_job *job, int64_t at_us);

/* Whether that claim came back, and when. */
bool check_claims_find(const struct check *check, int64_t id, uint64_t claim,
		       struct check_claim *found);

/* Sets a flag of a claim, whether it is the latest or came back; nothing where it is not known. What is set; 0 where it is
 * not known. */
void check_claims_note(struct check *check, int64_t id, uint64_t claim, enum check_flag flag);
unsigned check_claims_flags(struct check *check, int64_t id, uint64_t claim);

/* Whose it is or was; CHECK_NO_LIFE where it is not known. */
uint16_t check_claims_life(struct check *check, int64_t id, uint64_t claim);

/* Calls it for every claim that came back. */
void check_claims_each(struct check *check,
		       void (*visit)(struct check *, const struct check_claim *claim));

/* --- bouts -------------------------------------------------------------------------------------- */

void check_bouts(struct check *check);

/* The monotonic time of what the database says; its records come in the order of commits. */
int64_t check_bouts_time(struct check *check, int64_t database_us);

/* Whether its clock jumped at some time between. */
bool check_bouts_jumped(const struct check *check, int64_t from_us, int64_t to_us);

/* Whether a bout was on at some time between, from injection to settling. */
bool check_bouts_on(const struct check *check, int64_t from_us, int64_t to_us);

/* What all that were on demand, and what any of them does; 0 when none was. */
unsigned check_bouts_all(const struct check *check, int64_t from_us, int64_t to_us);
unsigned check_bouts_some(const struct check *check, int64_t from_us, int64_t to_us);

/* Whether the bout can have hurt the dispatcher of that life; NULL: of nobody that is known. */
bool check_bouts_hurts(const struct check_bout *bout, const struct check_life *life);

/* The last bout that was on, hurt that life, and allows what these demands are for; NULL: none. */
const struct check_bout *check_bouts_excuse(const struct check *check,
					    const struct check_life *life, enum fault_demand demand,
					    int64_t from_us, int64_t to_us);

/* The last heal of those that were on; 0 when none was. */
int64_t check_bouts_heal(const struct check *check, int64_t from_us, int64_t to_us);

/* --- stalls of the machine ---------------------------------------------------------------------- */

/* Takes the record. */
check_read_take check_stalls_take;

/* How long it stood still between; how much later a death that was due between may be found for that. */
int64_t check_stalls_us(const struct check *check, int64_t from_us, int64_t to_us);
int64_t check_stalls_delay(const struct check *check, int64_t from_us, int64_t to_us);

/* Whether what is judged is what was to be played. */
void check_terms(struct check *check);

/* --- the other parts ---------------------------------------------------------------------------- */

/* Returns whether its record is whole. */
bool check_database(struct check *check);
void check_workers(struct check *check);
void check_leaks(struct check *check);

/* Claims of those that are gone; how long a claim may stand before its owner has learnt of it or it is given back. */
void check_leaks_orphans(struct check *check);
int64_t check_leaks_known_us(const struct check *check);
void check_clients(struct check *check);
void check_effects(struct check *check);

/* What should stand in the logs of workers and handlers, by the database, and does not. */
void check_gaps(struct check *check);
void check_final(struct check *check);

/* Deaths, and what the faults demand. */
void check_demands(struct check *check);

/* How long something took; a bout that demands something of that is told so when it is injected. Whether a bout met those of
 * these demands: false says in `why` what it did not. */
void check_latency_expect(struct check *check, struct check_bout *bout);
void check_latency(struct check *check, enum check_latency_kind kind, int64_t from_us,
		   int64_t to_us);
void check_latency_count_untold(struct check *check, const struct check_bout *bout,
				unsigned demands); /* too few samples tell nothing */
bool check_latency_is_met(const struct check *check, const struct check_bout *bout,
			  unsigned demands, char *why, size_t size);
void check_latency_fini(struct check *check);

/* How soon work went on after each heal. */
void check_pace(struct check *check);
void check_pace_end(struct check *check, int64_t at_us); /* a job ended */

#endif
