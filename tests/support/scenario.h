/*
 * Whole fleets in a line each: real dispatchers with their agents, in folders and in a database of their own,
 * and handlers in sh that note what they do in an effect log. A helper that fails fails the test and shows
 * what the dispatchers logged. Every process that a scenario started is gone at its end, whatever happens.
 *
 *   cmocka_run_group_tests(tests, database_open, database_close)
 *   SCENARIO_TEST(test) in the list of tests; the state that a test gets is the struct scenario
 *
 * Intervals are short; each wait is for an event and ends with patience, not with what is measured: bounds
 * are taken from the times that the database wrote down.
 */
#ifndef LOCUM_TESTS_SUPPORT_SCENARIO_H
#define LOCUM_TESTS_SUPPORT_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/support/database.h"
#include "tests/support/detour.h"

/* What every dispatcher is configured with, unless its own settings say otherwise. */
enum {
	SCENARIO_PING_MS = 200,
	SCENARIO_DEATH_MS = 2500,
	SCENARIO_GRACE_MS = 200,
	SCENARIO_MARGIN_MS = 200,
	SCENARIO_SCAN_MS = 100,
	SCENARIO_POLL_MS = 200,
	SCENARIO_CALM_DEATH_MS = 60000,
};

/* Far more than anything takes that works. */
enum { SCENARIO_PATIENCE_MS = 120000 };

enum { SCENARIO_DAEMONS = 24, SCENARIO_GATES = 4, SCENARIO_PATH = 128, SCENARIO_SECTIONS = 8192 };

struct scenario_daemon {
	char configuration[SCENARIO_PATH];
	char state_dir[SCENARIO_PATH];
	char log[SCENARIO_PATH];
	char conninfo[SCENARIO_PATH * 5]; /* "": the database's own */
	pid_t pid;                        /* 0: not running */
};

struct scenario_gate {
	char path[SCENARIO_PATH];
	int fd;
};

struct scenario {
	struct database *database;
	int death_ms; /* the usual death interval */
	char directory[SCENARIO_PATH / 2];
	char effects[SCENARIO_PATH];
	char handlers
		[SCENARIO_SECTIONS]; /* sections for every dispatcher that starts from now on */
	struct scenario_daemon daemons[SCENARIO_DAEMONS];
	size_t daemon_count;
	struct scenario_gate gates[SCENARIO_GATES];
	size_t gate_count;
	struct detour detour; /* its fault proxy runs */
	bool detoured;        /* dispatchers that are added connect through it */
	char text[DATABASE_TEXT_SIZE];
};

int scenario_open(void **state);
int scenario_open_calm(void **state);
int scenario_close(void **state);

#define SCENARIO_TEST(test) cmocka_unit_test_setup_teardown(test, scenario_open, scenario_close)

/* Where nobody's silence is the matter: no handler is fenced and nobody is dead because the machine stood still. */
#define SCENARIO_CALM_TEST(test)                                                                   \
	cmocka_unit_test_setup_teardown(test, scenario_open_calm, scenario_close)

/* --- handlers ----------------------------------------------------------------------------------- */

/*
 * Adds a handler that runs this script, with more settings for its section or "". It has the functions
 *   note WORD   appends "WORD JOB CLAIM_SEQ PID" to the effect log
 *   begin       notes "start", or "overlap" first when another run of the same job is still alive
 *   gate NAME   waits until the test lets it pass
 * and $FOLDER, the scenario's own.
 */
void scenario_handler(struct scenario *s, const char *name, const char *settings,
		      const char *script);

/* Makes a gate, closed; lets that many pass, now or later. */
void scenario_gate(struct scenario *s, const char *name);
void scenario_let(struct scenario *s, const char *name, int count);

/* How many lines of the effect log begin so; waits until there are as many as that. */
int scenario_noted(struct scenario *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void scenario_await_noted(struct scenario *s, int count, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The jobs in the lines of the effect log that begin with this word, in their order, with commas; good until the next call. */
const char *scenario_noted_jobs(struct scenario *s, const char *word);

/* The pid in the last line of the effect log that begins so. */
pid_t scenario_noted_pid(struct scenario *s, const char *start);

/* The usual ones: "gated" notes its start, stops at the gate "gate", and notes its end; "quick" notes "run". */
void scenario_gated(struct scenario *s);

/* Waits until the first run of each of these jobs, which began, is gone. */
void scenario_await_first_runs_gone(struct scenario *s, int first_job, int last_job);

/* --- dispatchers -------------------------------------------------------------------------------- */

/* Adds a dispatcher with these further settings and sections, made as printf does, and does not start it. */
struct scenario_daemon *scenario_daemon(struct scenario *s, const char *name, const char *format,
					...) __attribute__((format(printf, 3, 4)));

/* The same, starts it, and waits until it is registered and its first agent takes jobs. */
struct scenario_daemon *scenario_start(struct scenario *s, const char *name, const char *format,
				       ...) __attribute__((format(printf, 3, 4)));

/* Those that are added from now on reach the database through the relay, which passes everything on until the
 * test sets a rule; and no more so. */
struct relay *scenario_relay(struct scenario *s);
void scenario_direct(struct scenario *s);

/* Starts one that does not run, with what it had; waits; or does not wait. Further arguments end with NULL. */
void scenario_run(struct scenario *s, struct scenario_daemon *daemon);
void scenario_launch(struct scenario *s, struct scenario_daemon *daemon, ...)
	__attribute__((sentinel));

/* Gives it another configuration, made of these settings and the present handlers, and SIGHUP. The second waits until
 * it has taken it. */
void scenario_hang_up(struct scenario *s, struct scenario_daemon *daemon, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void scenario_reload(struct scenario *s, struct scenario_daemon *daemon, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sends SIGKILL and waits for its end. */
void scenario_kill(struct scenario *s, struct scenario_daemon *daemon);

/* SIGSTOP, until it stands still; SIGCONT. */
void scenario_freeze(struct scenario *s, struct scenario_daemon *daemon);
void scenario_thaw(struct scenario *s, struct scenario_daemon *daemon);

/* Freezes it when the server has nothing of it in hand. */
void scenario_rest(struct scenario *s, struct scenario_daemon *daemon);

/* Locks the row of its incarnation, which its claims need and its pings do not, until the connection ends; and
 * waits until one of its claims waits for it. */
PGconn *scenario_lock_row(struct scenario *s, const struct scenario_daemon *daemon);
void scenario_await_claiming(struct scenario *s);

void scenario_signal(struct scenario *s, struct scenario_daemon *daemon, int number);

/* Waits for its end; returns its exit status, or minus the signal that ended it. */
int scenario_exit(struct scenario *s, struct scenario_daemon *daemon);

/* SIGTERM and the end: checks that it exits with 0. */
void scenario_drain(struct scenario *s, struct scenario_daemon *daemon);

/* Its agent that became ready last. */
pid_t scenario_agent(struct scenario *s, const struct scenario_daemon *daemon);

/* Its present incarnation, as text; valid until the next question to the database. */
const char *scenario_incarnation(struct scenario *s, const struct scenario_daemon *daemon);

/* How many lines of its log hold the text; waits until there are as many as that. */
int scenario_logged(struct scenario *s, const struct scenario_daemon *daemon, const char *text);
void scenario_await_logged(struct scenario *s, const struct scenario_daemon *daemon, int count,
			   const char *text);

/* Waits until a process is gone; a zombie is. */
void scenario_await_gone(struct scenario *s, pid_t pid);
bool scenario_is_alive(pid_t pid);

/* --- the database ------------------------------------------------------------------------------- */

/* Waits until this SQL, made as printf does, is true. */
void scenario_await(struct scenario *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Waits until so many jobs are in that terminal state. */
void scenario_await_finished(struct scenario *s, int count, const char *state);

/* Submits that many jobs of a handler. */
void scenario_submit(struct scenario *s, int count, const char *handler);

/* Waits until that many runs have begun since the start and the database counts that many as active. */
void scenario_await_active(struct scenario *s, int count);

/* Checks that there were so many jobs, that each was completed once, and that no two runs overlapped. */
void scenario_assert_done_once(struct scenario *s, int jobs);

/* Fails the test with a message, after showing the effect log, the jobs and the dispatchers' logs. */
_Noreturn void scenario_fail(struct scenario *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For a wait: returns false once the deadline has passed, else pauses for a moment. */
bool scenario_pause(int64_t deadline_ms);
int64_t scenario_deadline_ms(void);

#endif
