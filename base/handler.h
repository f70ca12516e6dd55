/*
 * A handler: what runs a job. Read from the configuration by the dispatcher, carried to the agent in
 * the HELLO frame of the socket protocol (base/wire.h), never named by a job in any other way than by
 * its name.
 */
#ifndef LOCUM_BASE_HANDLER_H
#define LOCUM_BASE_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* One row per kind: X(constant, name in the configuration). */
#define HANDLER_KINDS(X)                                                                           \
	X(COMMAND, "command") /* one program per job */                                            \
	X(SERVICE, "service") /* long-lived processes that take many jobs each */                  \
	X(PLUGIN, "plugin")   /* a function of a shared object, called by a plugin host */         \
	X(SQL, "sql")         /* a function in the database, called by a plugin host */

enum handler_kind {
#define HANDLER_KIND_ENUM(constant, name) HANDLER_##constant,
	HANDLER_KINDS(HANDLER_KIND_ENUM)
#undef HANDLER_KIND_ENUM
};

/* What happens to a running handler when its dispatcher can no longer prove that it is alive. */
enum handler_fence {
	HANDLER_FENCE_KILL,   /* killed at the deadline: it is dead before a sibling may start */
	HANDLER_FENCE_FINISH, /* goes on; only the write conflict at the commit decides */
};

/* Limits of each process of a handler; -1 leaves what the agent itself has. */
struct handler_limits {
	int64_t memory_bytes; /* RLIMIT_AS */
	int64_t files;        /* RLIMIT_NOFILE */
	int64_t processes;    /* RLIMIT_NPROC: counts the user's processes on the whole machine */
	int64_t cpu_s;        /* RLIMIT_CPU */
	int64_t file_bytes;   /* RLIMIT_FSIZE */
};

struct handler {
	char *name;
	enum handler_kind kind;
	char **argv;  /* command, service: NULL-terminated; argv[0] is an absolute path; no shell */
	char *path;   /* plugin: of the shared object, absolute */
	char *symbol; /* plugin: the function in it */
	char *function;   /* sql: SCHEMA.NAME */
	int concurrency;  /* service: jobs that one process has at once */
	int instances;    /* service: processes per agent */
	int64_t max_jobs; /* service, plugin: a process is replaced after so many; 0: never */
	int64_t progress_timeout_ms; /* service, plugin: longest silence of a job; 0: any */
	char **environment;          /* NULL-terminated "KEY=VALUE", added to the whitelist */
	char *directory;             /* working directory, or NULL for "/" */
	char *user;                  /* user name to run as, or NULL for the agent's own */
	int64_t timeout_ms;          /* of one run; 0: none. A job's own timeout goes before it */
	enum handler_fence fence;
	enum log_level log_failures; /* of the dispatcher alone: how a failed run is logged */
	struct handler_limits limits;
};

/* Frees what *handler owns and leaves it empty. */
void handler_fini(struct handler *handler);

/* Whether a job would be run in the same way by both. */
bool handler_same(const struct handler *a, const struct handler *b);

/* The name of a kind, as written in the configuration. */
const char *handler_kind_name(enum handler_kind kind);

/* Returns 0 and sets *kind, or -1 when no kind has that name. */
int handler_kind_read(const char *name, enum handler_kind *kind);

#endif
