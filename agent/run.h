/*
 * A run: one job of this agent, from its start to the OUTCOME; or a process of a service, which
 * has no job of its own but is ended and cleared away in the same way. Owned by the loop's thread.
 *
 *   waiting → running → terminating → killing → clearing → done
 *
 * waiting: no process yet. running: its main process lives. terminating: SIGTERM was sent. killing:
 * SIGKILL was sent. clearing: the main process is dead, what it left behind is being killed. done: the
 * outcome is known. Steps are left out, never taken back. A guest is running, then terminating once it was
 * told to end, then done.
 */
#ifndef LOCUM_AGENT_RUN_H
#define LOCUM_AGENT_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "agent/arrival.h"
#include "agent/cgroup.h"
#include "agent/guard.h"
#include "agent/output.h"
#include "agent/pipes.h"
#include "agent/program.h"
#include "agent/shim.h"
#include "base/buffer.h"
#include "base/wire.h"

enum { RUN_SCRATCH_BYTES = 64 * 1024 };

enum run_state {
	RUN_WAITING,
	RUN_RUNNING,
	RUN_TERMINATING,
	RUN_KILLING,
	RUN_CLEARING,
	RUN_DONE,
};

enum run_role {
	RUN_OF_JOB, /* a job with a process of its own */
	RUN_SERVER, /* a process of a service (agent/server.h) */
	RUN_HOST,   /* a plugin host (agent/host.h) */
	RUN_GUEST,  /* a job that a server has (agent/guest.h), or that waits for one */
};

/* Why the agent ends a run. The first one stays, except that a cancel and a loss go before all others. */
enum run_reason {
	RUN_UNDISTURBED,
	RUN_TIMED_OUT,
	RUN_STOPPED,
	RUN_FENCED,
	RUN_FAULTY,  /* server: it broke the rules of its protocol */
	RUN_HUNG,    /* server, host: one of its jobs did not end when it was told to */
	RUN_RETIRED, /* server, host: it makes room for a new one */
	RUN_CANCELLED,
	RUN_LOST, /* its claim: nobody wants the outcome */
};

TAILQ_HEAD(guest_note_list, guest_note);

/* What all runs share. */
struct run_shared {
	uv_loop_t *loop;
	struct shim shim;
	struct cgroup cgroup;
	struct guard guard;
	int64_t kill_grace_ms;
	char *scratch;                /* RUN_SCRATCH_BYTES for reading */
	struct guest_note_list notes; /* that are to be reported */
	bool sweep_wanted;            /* a run was killed or ended: look for what it left behind */
};

struct run {
	TAILQ_ENTRY(run) link;   /* of the roster (agent/roster.h) */
	SLIST_ENTRY(run) by_pid; /* of the roster; of a guest: of its server */
	struct run_shared *shared;
	struct program *program;
	enum run_role role;
	struct server *server;   /* server: itself; guest: who has it, NULL while it waits */
	struct host *host;       /* host: itself */
	struct wire_job job;     /* its texts are the arrival's */
	struct arrival *arrival; /* NULL once the process has the texts */
	enum run_state state;
	enum run_state place; /* where the roster keeps it */
	enum run_reason reason;
	bool has_strays; /* clearing: the last sweep found some */
	uint64_t group;  /* its control group, 0: none */
	pid_t pid;       /* of the main process; also its session and its process group */
	int64_t timeout_ms;
	int64_t deadline_ms;     /* guest: CLOCK_MONOTONIC, 0: none */
	struct guest_note *note; /* guest: NULL when it said nothing */
	int64_t quiet_ms;        /* guest: when its silence ends it, 0: never */
	bool is_quiet;           /* guest: its silence ended it */
	int64_t started_ms;      /* CLOCK_BOOTTIME, 0 when it never started */
	int64_t ended_ms;
	struct pipes pipes;
	unsigned handles; /* open at the loop */
	uv_timer_t timer;
	uv_poll_t output_poll;
	uv_poll_t result_poll;
	struct output output;
	struct buffer result;
	bool result_too_large;
	/* Of the outcome: */
	enum verdict verdict;
	int exit_code; /* -1: none */
	int signal;    /* 0: none */
	char *log;
	size_t log_length;
	int64_t delay_ms; /* -1: the policy's */
	char error[512];
};

/* A waiting run of an arrival, which is its own then. NULL when memory ends. */
struct run *run_make(struct run_shared *shared, struct arrival *arrival, struct error *err);

/* A server of the program that has not started. */
struct run *run_make_server(struct run_shared *shared, struct program *program,
			    struct server *server, struct error *err);

/* A plugin host that has not started; program: locum-host. */
struct run *run_make_host(struct run_shared *shared, struct program *program, struct host *host,
			  struct error *err);

/* Whether it is a process that has jobs, and no job itself. */
static inline bool run_is_process(const struct run *run)
{
	return run->role == RUN_SERVER || run->role == RUN_HOST;
}

/* Ends a waiting run as released, with a sentence. */
void run_release(struct run *run, const char *why);

/* Ends a waiting run as failed for good, with a sentence. */
void run_refuse(struct run *run, const char *why);

/* Starts a waiting run. On failure it is only good for run_release: ERROR_RETRY for a shortage, ERROR_INPUT when the
 * handler cannot be executed here. */
int run_start(struct run *run, struct error *err);

/* The same for a server. */
int run_start_server(struct run *run, struct error *err);

/* The same for a plugin host, which gets these as its descriptors 3 and 4; they are the run's to close. */
int run_start_host(struct run *run, int socket_fd, int slate_fd, struct error *err);

/* It was told in another way to end: SIGKILL after grace_ms. */
void run_expect_end(struct run *run, enum run_reason reason, int64_t grace_ms);

/* SIGTERM now, SIGKILL after grace_ms. Does nothing to a run that has got either, or that has ended
 * by itself already. */
void run_terminate(struct run *run, enum run_reason reason, int64_t grace_ms);

/* SIGKILL now. Does nothing to a run that has ended. */
void run_kill(struct run *run, enum run_reason reason);

/* Its main process is dead and not reaped yet. */
void run_exited(struct run *run, const siginfo_t *how);

/* Whether nothing of it lives any more, as far as its control group and the last sweep tell. */
bool run_is_cleared(const struct run *run);

/* Nothing of it lives any more: reads what is left in the pipes, and judges; a server is not judged. */
void run_finish(struct run *run);

/* The outcome of a done run; borrows from it. */
void run_outcome(const struct run *run, struct wire_outcome *outcome);

/* Frees the run once the loop has let go of it. */
void run_free(struct run *run);

#endif
