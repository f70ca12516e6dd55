/*
 * A real locum-host under test, on a struct database: the fixture plays its agent. Every wait is for an event
 * and has a deadline; a wait that fails ends the test with a message.
 */
#ifndef LOCUM_TESTS_SUPPORT_HOST_FIXTURE_H
#define LOCUM_TESTS_SUPPORT_HOST_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/slate.h"
#include "base/buffer.h"
#include "base/wire.h"
#include "tests/support/agent_events.h"
#include "tests/support/database.h"

enum { HOST_FIXTURE_HANDLERS = 48, HOST_FIXTURE_PATH = 512 };

struct host_fixture {
	struct database *d;
	struct handler handlers[HOST_FIXTURE_HANDLERS];
	uint32_t handler_count;
	pid_t pid;
	int socket;
	struct slate *slate;
	struct buffer out;
	struct agent_events events;
	struct uuid dispatcher; /* the incarnation that claims */
	char plugins[HOST_FIXTURE_PATH];
	char program[HOST_FIXTURE_PATH];
};

/* A fixture without handlers and without a host; no database: d is NULL. */
void host_fixture_open(struct host_fixture *f, struct database *d);

/* Kills the host if it runs, and frees everything. */
void host_fixture_close(struct host_fixture *f);

/* Adds handlers: a symbol of the plugin deeds.so under its own name; a function. The answer may be changed. */
struct handler *host_fixture_deed(struct host_fixture *f, const char *symbol);
struct handler *host_fixture_function(struct host_fixture *f, const char *name,
				      const char *function);

/* Starts a host, greets it and waits for READY; the slate allows everything. */
void host_fixture_start(struct host_fixture *f);

/* SIGKILL, and what it sent before is taken in. Another host may be started then. */
void host_fixture_kill(struct host_fixture *f);

/* Waits for its end; returns its exit status or minus the signal. */
int host_fixture_await_exit(struct host_fixture *f);

/* Submits a job of this handler to the database and claims it. */
struct wire_job host_fixture_claim(struct host_fixture *f, const char *handler,
				   const char *payload);

/* A job that no database knows. */
struct wire_job host_fixture_job(int64_t id, const char *handler, const char *payload);

void host_fixture_send(struct host_fixture *f, const struct wire_job *jobs, size_t count);
void host_fixture_cancel(struct host_fixture *f, const struct wire_job *job);
void host_fixture_stop(struct host_fixture *f);

/* Sends a job, and waits for its outcome. */
struct wire_outcome host_fixture_run(struct host_fixture *f, const struct wire_job *job);
struct wire_outcome host_fixture_outcome(struct host_fixture *f, const struct wire_job *job);
bool host_fixture_has_outcome(const struct host_fixture *f, const struct wire_job *job);
void host_fixture_await_started(struct host_fixture *f, const struct wire_job *job);
struct wire_broken host_fixture_broken(struct host_fixture *f, const char *handler);

/* Checks a verdict, and the error against its sentence; NULL: there is none. */
#define host_fixture_assert(outcome, wanted, sentence)                                             \
	host_fixture_check((outcome), wanted, sentence, __FILE__, __LINE__)
void host_fixture_check(struct wire_outcome outcome, enum verdict verdict, const char *error,
			const char *file, int line);

#endif
