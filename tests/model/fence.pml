/*
 * fence.pml - a dispatcher, its agent and a sibling, in time: no run starts while a process of the former run
 * lives (S13). README.md says which code each block stands for.
 *
 * Time goes by in units, and all that is kept of an instant is how long ago it was, or how long there is to
 * go, each with a cap: so the model has no end and few states. Whatever is not bound to a time may take any.
 *
 * Switches; the first value is locum as built:
 *   FENCE=1|0          the agent kills at the deadline | does not
 *   FROM_SEND=1|0      the deadline counts from the ping's sending | from its answer
 *   D_FENCE=D_ROW|n    the deadline counts by the D that the ping wrote | by another one
 *   MARGIN=2|n         what the deadline lies before D; a kill takes up to one unit
 *   ALONE=1|0          the agent acts alone | only while its dispatcher runs
 *   CHECKED=1|0        a start looks at the fence | does not
 *   SEQGUARD=1|0       a death compares the ping's sequence with the one observed | does not
 *   OBSERVED=1|0       a sibling must have watched the same ping for D by its own clock | the database's is enough
 *   DROPPED=1|0        a new life begins when all of the former one is dropped | at once
 *   LIFE=1|0           the agent sees that the dispatcher began another life | sees the deadline only
 *   FROZEN=0|1         the agent never stands still | may stand still
 *   ASK_S13=1|0        S13 is checked | only that an agent that is awake leaves nothing running beside another run
 */
#ifndef FENCE
#define FENCE 1
#endif
#ifndef FROM_SEND
#define FROM_SEND 1
#endif
#ifndef D_ROW
#define D_ROW 5
#endif
#ifndef D_FENCE
#define D_FENCE D_ROW
#endif
#ifndef MARGIN
#define MARGIN 2
#endif
#ifndef ALONE
#define ALONE 1
#endif
#ifndef CHECKED
#define CHECKED 1
#endif
#ifndef SEQGUARD
#define SEQGUARD 1
#endif
#ifndef OBSERVED
#define OBSERVED 1
#endif
#ifndef DROPPED
#define DROPPED 1
#endif
#ifndef LIFE
#define LIFE 1
#endif
#ifndef FROZEN
#define FROZEN 0
#endif
#ifndef ASK_S13
#define ASK_S13 1
#endif
#define GRACE 1                 /* before the deadline nothing starts any more */
#define KILL_TIME 1             /* a kill takes less than this */
#define CAP (D_ROW + D_FENCE)   /* what is longer ago is all the same */

/* A violation prints the name of what is checked; the names are variables that are always false. */
hidden byte S13, AWAKE;
#define CHECK(name, condition) assert(name || (condition))

/* The dispatcher. */
bool stopped;                   /* SIGSTOP; its kernel still takes and sends what is on the way */
mtype = { NOT_SENT, SENT, EXECUTED, REFUSED };
mtype ping = NOT_SENT;          /* the one whose answer is awaited */
bool late_ping;                 /* one that was given up, and may be executed yet */
byte since_sent;
bool holds = true;              /* it counts the job as its own */
bool reborn;

/* The agent. */
bool runs;                      /* a process of the first run lives */
byte left;                      /* until the deadline */
byte overdue;                   /* since the deadline, while the process lives */
bool former;                    /* that run was started in a life of the dispatcher that is over */
bool frozen;

/* The database. */
bool row = true;                /* the ping row */
byte age;                       /* of the ping in it, by the database's clock */
bool jumped;                    /* that clock moved during the observation */
bool reclaimed;

/* The sibling. */
bool same;                      /* the row's sequence is the one observed */
byte watched;                   /* for how long */
bool suspects;
bool second_run;

#define LIMITED(n) ((n) < CAP -> (n) + 1 : CAP)
#define MUST_KILL (runs && (former || (left == 0 && overdue >= KILL_TIME)))
#if FENCE
#if ALONE
#define MAY_KILL (!frozen)
#else
#define MAY_KILL (!frozen && !stopped)
#endif
#else
#define MAY_KILL false
#endif

proctype Time()
{
end:	do
	:: d_step { !(MUST_KILL && MAY_KILL) ->
		CHECK(AWAKE, frozen || !runs || !second_run);
		since_sent = LIMITED(since_sent); age = LIMITED(age); watched = LIMITED(watched);
		overdue = (runs && left == 0 && overdue < KILL_TIME -> overdue + 1 : overdue);
		left = (left > 0 -> left - 1 : 0) }
	/* The database's clock is set forward or back. */
	:: atomic { row -> jumped = true; if :: age = 0 :: age = CAP fi }
	od
}

inline raise_fence()
{
#if FROM_SEND
	left = (since_sent < D_FENCE - MARGIN -> D_FENCE - MARGIN - since_sent : 0);
#else
	left = D_FENCE - MARGIN;
#endif
	overdue = (left > 0 -> 0 : overdue)
}

/* pinger.c */
proctype Dispatcher()
{
end:	do
	:: stopped = !stopped
	:: atomic { !stopped && !reborn && ping == NOT_SENT -> ping = SENT; since_sent = 0 }
	:: atomic { !stopped && ping == EXECUTED -> ping = NOT_SENT; raise_fence() }
	/* No answer in time: the connection is given up, and the request may be anywhere. */
	:: atomic { !stopped && ping == SENT -> late_ping = true; ping = NOT_SENT }
	:: atomic { !stopped && ping == EXECUTED -> ping = NOT_SENT }
	/* Declared dead: end_life. The agent is told to drop what it has before the next life can ping. */
	:: atomic { !stopped && ping == REFUSED -> ping = NOT_SENT; left = 0; reborn = true; former = runs && LIFE;
#if DROPPED
		holds = false
#endif
		}
	:: atomic { !stopped && reborn && holds -> holds = false }
	/* The next life's pings. */
	:: atomic { !stopped && reborn -> left = D_FENCE - MARGIN; overdue = 0 }
	od
}

/* ping.sql */
proctype Database()
{
end:	do
	:: atomic { ping == SENT && row -> ping = EXECUTED; age = 0; same = false; jumped = false }
	:: atomic { ping == SENT && !row -> ping = REFUSED }
	:: atomic { late_ping -> late_ping = false; if :: row -> age = 0; same = false :: else fi }
	:: atomic { late_ping -> late_ping = false }
	od
}

/* agent.c, guard.c */
proctype Agent()
{
end:	do
#if CHECKED
	:: atomic { !frozen && !runs && holds && left > GRACE -> CHECK(S13, !ASK_S13 || !second_run); runs = true; overdue = 0 }
#else
	:: atomic { !frozen && !runs && holds -> CHECK(S13, !ASK_S13 || !second_run); runs = true; overdue = 0 }
#endif
	:: atomic { runs && (former || left == 0) && MAY_KILL -> runs = false; former = false; overdue = 0 }
	/* It ends by itself, or is cancelled. */
	:: atomic { runs -> runs = false; former = false; overdue = 0 }
#if FROZEN
	:: frozen = !frozen
#endif
	od
}

#if OBSERVED
#define IS_SILENT (watched >= D_ROW && (age > D_ROW || jumped))
#else
#define IS_SILENT (age > D_ROW)
#endif

/* observer.c, dispatcher_death.sql, job_reclaim.sql, job_claim.sql */
proctype Sibling()
{
end:	do
	:: atomic { row && !same -> same = true; watched = 0; jumped = false; suspects = false }
	:: atomic { row && same && IS_SILENT && !suspects -> suspects = true }
	:: atomic { suspects && row ->
		suspects = false;
#if SEQGUARD
		if :: same -> row = false; age = 0; watched = 0; jumped = false :: else fi
#else
		row = false; age = 0; watched = 0; jumped = false
#endif
		}
	:: atomic { !row && !reclaimed -> reclaimed = true }
	:: atomic { reclaimed && !second_run -> CHECK(S13, !ASK_S13 || !runs); second_run = true }
	od
}

init
{
	atomic {
		run Time(); run Dispatcher(); run Database(); run Agent(); run Sibling()
	}
}
