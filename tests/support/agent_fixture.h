/*
 * A real locum-agent under test: the fixture plays its dispatcher. Every wait is for an event and has a
 * deadline; a wait that fails ends the test with a message.
 */
#ifndef LOCUM_TESTS_SUPPORT_AGENT_FIXTURE_H
#define LOCUM_TESTS_SUPPORT_AGENT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/fence.h"
#include "base/wire.h"
#include "tests/support/agent_events.h"
#include "tests/support/fifo.h"

enum { AGENT_FIXTURE_HANDLERS = 32, AGENT_FIXTURE_PATH = 256 };

struct agent_fixture {
	uint32_t slots;
	int64_t kill_grace_ms;
	rlim_t soft_files; /* the agent's RLIMIT_NOFILE; 0: the test's */
	struct handler handlers[AGENT_FIXTURE_HANDLERS];
	uint32_t handler_count;
	pid_t pid;
	int pidfd;
	int socket;
	struct fence *fence;
	struct buffer out;
	struct agent_events events;
	char directory[AGENT_FIXTURE_PATH];
	struct fifo fifo;
};

/* Makes the fixture: 4 slots, a kill grace of 300 ms, no handler, no agent yet. */
void agent_fixture_open(struct agent_fixture *fixture);

/* Ends the agent if it runs, and frees everything. */
void agent_fixture_close(struct agent_fixture *fixture);

/* For cmocka: *state becomes an open fixture; the other closes it. */
int agent_fixture_set_up(void **state);
int agent_fixture_tear_down(void **state);

/* Adds a handler before the start. The list of arguments ends with NULL. */
struct handler *agent_fixture_command(struct agent_fixture *fixture, const char *name, ...)
	__attribute__((sentinel));

/* Adds a handler that runs a shell script. $FIFO is the path of the fixture's fifo. */
struct handler *agent_fixture_script(struct agent_fixture *fixture, const char *name,
				     const char *script);

/* Adds a handler that is a symbol of the plugin deeds.so, by its name. */
struct handler *agent_fixture_deed(struct agent_fixture *fixture, const char *symbol);

/* Starts the agent, greets it, raises the fence, and waits for READY. */
void agent_fixture_start(struct agent_fixture *fixture);

/* As above, and leaves the fence as it is. */
void agent_fixture_start_fenced(struct agent_fixture *fixture);

/* Starts the agent with its descriptors and says nothing to it. */
void agent_fixture_launch(struct agent_fixture *fixture);

/* Puts the deadline ms from now. */
void agent_fixture_fence_in(struct agent_fixture *fixture, int64_t ms);

/* The job that agent_fixture_run sends, of the first life, for a test that wants to change something. */
struct wire_job agent_fixture_job(int64_t id, const char *handler, const char *payload);
void agent_fixture_send(struct agent_fixture *fixture, const struct wire_job *jobs, size_t count);
void agent_fixture_run(struct agent_fixture *fixture, int64_t id, const char *handler,
		       const char *payload);
void agent_fixture_cancel(struct agent_fixture *fixture, int64_t id,
			  enum wire_cancel_reason reason);
void agent_fixture_stop(struct agent_fixture *fixture, int64_t grace_ms);
/* Closes the socket, as a dispatcher does that dies. */
void agent_fixture_hang_up(struct agent_fixture *fixture);
/* Sends what is in fixture->out. */
void agent_fixture_flush(struct agent_fixture *fixture);

/* Each waits for its frame, however long ago it came. Bytes are valid until the close. */
struct wire_outcome agent_fixture_outcome(struct agent_fixture *fixture, int64_t id);
void agent_fixture_await_started(struct agent_fixture *fixture, int64_t id);
struct wire_broken agent_fixture_broken(struct agent_fixture *fixture, const char *handler);
void agent_fixture_await_mended(struct agent_fixture *fixture, const char *handler);

/* Runs a job and waits for its outcome. */
struct wire_outcome agent_fixture_finish(struct agent_fixture *fixture, int64_t id,
					 const char *handler, const char *payload);

/* What came so far, without waiting. */
bool agent_fixture_has_started(const struct agent_fixture *fixture, int64_t id);
bool agent_fixture_has_outcome(const struct agent_fixture *fixture, int64_t id);

size_t agent_fixture_broken_count(const struct agent_fixture *fixture);

/* Stops the agent, and returns when it stands still. */
void agent_fixture_freeze(struct agent_fixture *fixture);

/* Waits for the agent's end; returns its exit status, or minus the signal that killed it. */
int agent_fixture_await_exit(struct agent_fixture *fixture);

/* Whether nobody holds the lock that the agent was given. */
bool agent_fixture_lock_is_free(const struct agent_fixture *fixture);

/* A number from /proc/PID/status of the agent, such as "VmHWM". */
int64_t agent_fixture_status(const struct agent_fixture *fixture, const char *key);

/* Whether bytes are the text, or hold it. */
bool agent_fixture_is(struct wire_bytes bytes, const char *text);
bool agent_fixture_holds(struct wire_bytes bytes, const char *text);

/* Checks a verdict, and the error against its sentence; NULL: there is none. */
#define agent_fixture_assert_outcome(outcome, wanted, sentence)                                    \
	agent_fixture_check_outcome(&(outcome), wanted, sentence, __FILE__, __LINE__)
void agent_fixture_check_outcome(const struct wire_outcome *outcome, enum verdict verdict,
				 const char *error, const char *file, int line);

#endif
