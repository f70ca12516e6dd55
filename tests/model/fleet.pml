/*
 * fleet.pml - two jobs, two dispatchers ("workers") of which one may die for good, their pings, a reaper, and
 * backends that execute requests which outlive their clients. README.md says which code each block stands
 * for and which promise each CHECK.
 *
 * Each atomic block is one PostgreSQL transaction, or one step of a process that nobody else can see into.
 * Every fault takes from a budget, so that each run ends: what must happen in the end is checked there.
 *
 * Switches; the first value is locum as built, each other one leaves out a guard:
 *   FENCE=2|1|0     completion guarded by the claim_id | by the state only | by the id only
 *   CLAIMLOCK=1|0   a claim locks its dispatcher's row | looks at it in a snapshot
 *   SWEEP=1|0       a sweep for jobs whose owner is dead | none
 *   RESOLVE=1|0     a completion without an answer is sent again | forgotten
 *   RECONCILE=2|1|0 claims that did not arrive are given back now and then | once after a loss | never
 *   LOOKUP=2|1|0    the outcome is read from the receipt by a statement of its own | by the statement that
 *                   compares and swaps | from the finished job, without receipts
 *   ABANDON=1|0     a lost run is abandoned | completed again under the claim that the job has by then
 *   SEQGUARD=1|0    a death compares the ping's sequence with the one observed | does not
 *   SPLITDEATH=0|1  a death is one statement | marks the dispatcher first and deletes the ping later
 *   RESURRECT=0|1   a ping of the dead updates no row | makes it alive again
 *   ASK_S7=1|0      S7 is checked | is not, to see what else would come of it
 */
#ifndef FENCE
#define FENCE 2
#endif
#ifndef CLAIMLOCK
#define CLAIMLOCK 1
#endif
#ifndef SWEEP
#define SWEEP 1
#endif
#ifndef RESOLVE
#define RESOLVE 1
#endif
#ifndef RECONCILE
#define RECONCILE 2
#endif
#ifndef LOOKUP
#define LOOKUP 2
#endif
#ifndef ABANDON
#define ABANDON 1
#endif
#ifndef SEQGUARD
#define SEQGUARD 1
#endif
#ifndef SPLITDEATH
#define SPLITDEATH 0
#endif
#ifndef RESURRECT
#define RESURRECT 0
#endif
#ifndef ASK_S7
#define ASK_S7 1
#endif

/* Faults: live workers that look silent, workers that die, connections given up while an answer is due, runs
 * that are to be tried again, reapers that go between a death and its reclaim. */
#ifndef SILENCES
#define SILENCES 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef RETRIES
#define RETRIES 1
#endif
#ifndef REAPERS_LOST
#define REAPERS_LOST 1
#endif
#ifndef BACKENDS
#define BACKENDS 2
#endif

#define JOBS 2
#define LIVES 3                 /* SILENCES is at most 1 */
#define NOBODY LIVES
#define CLAIMS (JOBS + SILENCES + CRASHES + LOSSES + RETRIES)

/* A violation prints the name of what is checked. The names are variables that are always false. */
hidden byte S1, S2, S5, S7, S8_EVIDENCE, S8_PING, S9, RERUN, L1, L3, L4, BUDGET;
#define CHECK(name, condition) assert(name || (condition))

/* locum.job and locum.finished. */
mtype = { READY, ACTIVE, DONE };
mtype state[JOBS] = READY;
byte owner[JOBS] = NOBODY;      /* a life */
byte claim[JOBS];               /* claim_id; 0: null. A finished job keeps it. */
byte claims;                    /* given out so far; each is new */

/* locum.dispatcher, dispatcher_ping, death and receipt; a row of each is a life. */
bool alive[LIVES];
bool pings[LIVES];              /* its ping row is there */
byte seq[LIVES];
bool stale[LIVES];              /* pinged_at is longer ago than D */
bool certified[LIVES];          /* its death is recorded */
byte receipt[LIVES];            /* the claim of the completion that was accepted; 0: none */

/* The workers. */
byte life[2];
byte lives;
byte conn[2];                   /* answers to a former connection reach nobody */
bool crashed;                   /* worker 0, for good */
mtype = { NOTHING, NONE_READY, GOT, ACCEPTED, LOST };
mtype answer[2] = NOTHING;
byte answer_job[2], answer_claim[2];

/* Requests on their way. A client that gave its connection up cannot call them back. */
mtype = { CLAIM, COMPLETE, RETRY };
chan net = [2] of { mtype, byte, byte, byte, byte, byte }; /* what, worker, connection, life, job, claim */
byte occupied;

byte silences = SILENCES, crashes = CRASHES, losses = LOSSES, retries = RETRIES, reapers_lost = REAPERS_LOST;

/* Known to the checks alone. */
bool took[LIVES];               /* the completion that this life sent last was accepted */
bool ran[JOBS];                 /* a run ended, and neither a retry nor a death calls for another one */

inline release(j)
{
	state[j] = READY; owner[j] = NOBODY; claim[j] = 0
}

#if FENCE==2
#define MATCHES(j, k) (state[j] == ACTIVE && claim[j] == k)
#elif FENCE==1
#define MATCHES(j, k) (state[j] == ACTIVE)
#else
#define MATCHES(j, k) (true)
#endif

/* job_complete.sql */
inline compare_and_swap(what, by, j, k, swapped)
{
	if
	:: MATCHES(j, k) ->
		CHECK(S1, state[j] != DONE);
		CHECK(S2, claim[j] == k);
		CHECK(S9, owner[j] == by);
		swapped = true; took[by] = true; receipt[by] = k;
		if
		:: what == RETRY -> release(j); ran[j] = false
		:: else -> state[j] = DONE; owner[j] = NOBODY
		fi
	:: else
	fi
}

/* completion_lookup.sql */
#if LOOKUP
#define MINE(by, j, k) (receipt[by] == k || (state[j] == DONE && claim[j] == k))
#else
#define MINE(by, j, k) (state[j] == DONE && claim[j] == k)
#endif

/* job_claim.sql */
inline take(by, j, k)
{
#if ASK_S7
	CHECK(S7, alive[by]);
#endif
	CHECK(BUDGET, claims < CLAIMS);
	claims++; k = claims; claim[j] = k; state[j] = ACTIVE; owner[j] = by
}

inline claim_one(by, j, k)
{
	if
	:: state[0] == READY -> j = 0; take(by, j, k)
	:: state[0] != READY && state[1] == READY -> j = 1; take(by, j, k)
	:: else
	fi
}

#define CURRENT (connection == conn[w] && by == life[w] && !(w == 0 && crashed))

inline reply(verdict)
{
	if
	:: CURRENT -> answer[w] = verdict
	:: else
	fi
}

inline rest()
{
	occupied = occupied & ~(1 << number);
	what = 0; w = 0; connection = 0; by = 0; j = 0; k = 0; yes = false
}

proctype Backend(byte number)
{
	mtype what;
	byte w, connection, by, j, k;
	bool yes;

end:
free:	atomic { nempty(net) && (number == 0 || occupied & 1) && !(occupied & (1 << number)) ->
		net?what,w,connection,by,j,k;
		if
		:: !CURRENT -> rest(); goto free        /* it never came */
		:: true
		fi;
		occupied = occupied | (1 << number);
#if !CLAIMLOCK
		yes = what == CLAIM && alive[by];
#endif
#if LOOKUP==1
		yes = what != CLAIM && MINE(by, j, k);
#endif
		if
		:: what == CLAIM -> goto claiming
		:: else -> goto completing
		fi }
claiming:
	atomic {
#if CLAIMLOCK
		yes = alive[by];
#endif
		if
		:: yes -> claim_one(by, j, k)
		:: else
		fi;
		if
		:: CURRENT -> answer[w] = (k > 0 -> GOT : NONE_READY); answer_job[w] = j; answer_claim[w] = k
		:: else
		fi;
		rest(); goto free }
completing:
	atomic {
		compare_and_swap(what, by, j, k, yes);
#if LOOKUP==1
		reply((yes -> ACCEPTED : LOST)); rest(); goto free
#else
		/* Rows that came back need no second statement. */
		if
		:: yes -> reply(ACCEPTED); rest(); goto free
		:: else
		fi
#endif
		}
looking_up:
	atomic {
		reply((MINE(by, j, k) -> ACCEPTED : LOST));
		rest(); goto free }
}

inline forget_answer(i)
{
	answer[i] = NOTHING; answer_job[i] = 0; answer_claim[i] = 0
}

#define IS_UNKNOWN(i, j) (state[j] == ACTIVE && owner[j] == life[i])

proctype Worker(byte i)
{
	byte j, k;
	mtype what;
	bool unsure;

idle:	atomic { j = 0; k = 0; what = 0 }
end:	do
	:: atomic { pings[life[i]] && !unsure && nfull(net) && (state[0] == READY || state[1] == READY) ->
		net!CLAIM,i,conn[i],life[i],0,0; goto claiming }
#if RECONCILE==2
	:: atomic { IS_UNKNOWN(i, 0) -> release(0) }    /* claim_unknown.sql, claim_release.sql */
	:: atomic { IS_UNKNOWN(i, 1) -> release(1) }
#elif RECONCILE==1
	:: atomic { unsure -> unsure = false;
		if :: IS_UNKNOWN(i, 0) -> release(0) :: else fi;
		if :: IS_UNKNOWN(i, 1) -> release(1) :: else fi }
#endif
	:: atomic { !pings[life[i]] -> goto dead }
	:: atomic { i == 0 && crashes > 0 -> goto crash }
	od;
claiming:
	do
	:: atomic { answer[i] == NONE_READY -> answer[i] = NOTHING; goto idle }
	:: atomic { answer[i] == GOT ->
		j = answer_job[i]; k = answer_claim[i];
		answer[i] = NOTHING; answer_job[i] = 0; answer_claim[i] = 0;
		CHECK(RERUN, !ran[j] || claim[j] != k);
		goto busy }
	:: atomic { losses > 0 -> losses--; conn[i]++; forget_answer(i);
#if RECONCILE==1
		unsure = true;
#endif
		goto idle }
	:: atomic { !pings[life[i]] -> goto dead }
	:: atomic { i == 0 && crashes > 0 -> goto crash }
	od;
busy:	atomic {
		if
		:: what = COMPLETE
		:: retries > 0 -> retries--; what = RETRY
		:: i == 0 && crashes > 0 -> goto crash
		:: !pings[life[i]] -> goto dead
		fi;
		ran[j] = (claim[j] == k -> true : ran[j]);
		took[life[i]] = false }
send:	if
	:: atomic { nfull(net) -> net!what,i,conn[i],life[i],j,k }
	:: atomic { !pings[life[i]] -> goto dead }
	:: atomic { i == 0 && crashes > 0 -> goto crash }
	fi;
	do
	:: atomic { answer[i] == ACCEPTED ->
		CHECK(S5, took[life[i]]);
		answer[i] = NOTHING;
		receipt[life[i]] = 0;                   /* receipt_confirm.sql */
		goto idle }
	:: atomic { answer[i] == LOST ->
		CHECK(S5, !took[life[i]]);
		answer[i] = NOTHING;
#if !ABANDON
		if
		:: state[j] == ACTIVE -> k = claim[j]; goto send
		:: else
		fi;
#endif
		goto idle }
	:: atomic { losses > 0 -> losses--; conn[i]++; forget_answer(i);
#if RESOLVE
		goto send
#else
		goto idle
#endif
		}
	:: atomic { !pings[life[i]] -> goto dead }
	:: atomic { i == 0 && crashes > 0 -> goto crash }
	od;
dead:	/* pinger.c end_life, pump.c end_life, dispatcher_register.sql: all is dropped, and a new life begins */
	atomic { forget_answer(i); conn[i] = 0; unsure = false;
		receipt[life[i]] = 0; took[life[i]] = false;
		life[i] = lives; lives++;
		alive[life[i]] = true; pings[life[i]] = true;
		goto idle }
crash:	atomic { crashes--; crashed = true; j = 0; k = 0; what = 0; forget_answer(i) }
}

/* ping.sql, on a connection and a thread of its own */
proctype Pinger(byte i)
{
end:	do
	:: atomic { !(i == 0 && crashed) && pings[life[i]] && stale[life[i]] ->
		stale[life[i]] = false; seq[life[i]]++;
		CHECK(S8_PING, !certified[life[i]]) }
#if RESURRECT
	:: atomic { !(i == 0 && crashed) && !pings[life[i]] ->
		pings[life[i]] = true; alive[life[i]] = true; stale[life[i]] = false;
		CHECK(S8_PING, !certified[life[i]]) }
#endif
	od
}

/* D goes by without a ping. */
proctype Clock()
{
end:	do
	:: atomic { silences > 0 && !crashed && alive[life[0]] && !stale[life[0]] -> silences--; stale[life[0]] = true }
	:: atomic { silences > 0 && alive[life[1]] && !stale[life[1]] -> silences--; stale[life[1]] = true }
	:: atomic { crashed && alive[life[0]] && !stale[life[0]] -> stale[life[0]] = true }
	od
}

#define HELD_BY(v, j) (state[j] == ACTIVE && owner[j] == v)

inline reclaim(j)
{
	release(j); ran[j] = false
}

inline observe(n)
{
	v = n; seen = seq[v]
}

/* dispatcher_death.sql */
inline kill(v)
{
	if
#if SEQGUARD
	:: pings[v] && alive[v] && seq[v] == seen ->
#else
	:: pings[v] && alive[v] ->
#endif
		CHECK(S8_EVIDENCE, stale[v]);
#if !SPLITDEATH
		pings[v] = false; seq[v] = 0; stale[v] = false;
#endif
		alive[v] = false; certified[v] = true
	:: else -> seen = 0; goto free
	fi
}

#define SUSPECT(n) :: atomic { alive[n] && pings[n] && stale[n] -> observe(n); goto suspicion }
#define ORPHAN(j) (state[j] == ACTIVE && !alive[owner[j]])

proctype Reaper()
{
	byte v, seen;

end:
free:	do
	SUSPECT(0)                                      /* sibling_scan.sql, observer.c */
	SUSPECT(1)
	SUSPECT(2)
#if SWEEP
	:: atomic { ORPHAN(0) -> reclaim(0) }           /* orphan_owners.sql, job_reclaim.sql */
	:: atomic { ORPHAN(1) -> reclaim(1) }
#endif
	od;
suspicion:
	atomic { kill(v) }
#if SPLITDEATH
	atomic { pings[v] = false; seq[v] = 0; stale[v] = false }
#endif
reclaiming:
	seen = 0;
	do                                              /* job_reclaim.sql, in chunks */
	:: atomic { HELD_BY(v, 0) -> reclaim(0) }
	:: atomic { HELD_BY(v, 1) -> reclaim(1) }
	:: atomic { reapers_lost > 0 && (HELD_BY(v, 0) || HELD_BY(v, 1)) ->
		reapers_lost--; v = 0; goto free }
	:: atomic { !HELD_BY(v, 0) && !HELD_BY(v, 1) -> v = 0; goto free }
	od
}

init
{
	byte b;

	atomic {
		life[0] = 0; life[1] = 1; lives = 2;
		alive[0] = true; pings[0] = true; alive[1] = true; pings[1] = true;
		for (b : 0 .. BACKENDS - 1) { run Backend(b) }
		b = 0;
		run Worker(0); run Worker(1); run Pinger(0); run Pinger(1); run Clock(); run Reaper()
	}
	timeout;
	/* Nothing can happen any more. */
	atomic {
		CHECK(L3, state[0] != ACTIVE || alive[owner[0]]);
		CHECK(L3, state[1] != ACTIVE || alive[owner[1]]);
		CHECK(L4, alive[life[1]] && (crashed || alive[life[0]]));
		CHECK(L1, state[0] == DONE && state[1] == DONE)
	}
}
