/*
 * The effective settings of a dispatcher: default < file < environment < flag.
 *
 * Filled by one thread before any other starts, constant afterwards.
 */
#ifndef LOCUM_DISPATCHER_CONFIG_H
#define LOCUM_DISPATCHER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/handler.h"
#include "dispatcher/config_key.h"

/* Where a value comes from. */
enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };
enum { CONFIG_ORIGIN_NAME_SIZE = 40 };

struct config_origin {
	enum config_source source;
	int line;                           /* CONFIG_FILE: of config.file */
	char name[CONFIG_ORIGIN_NAME_SIZE]; /* CONFIG_ENVIRONMENT, CONFIG_FLAG: as written there */
};

/* A queue that an agent serves and how often its turn comes. */
struct config_queue {
	char *name;
	int weight; /* 1 to LIMIT_QUEUE_WEIGHT */
};

/* One `agent "NAME" { … }` section. */
struct config_agent {
	char *name;
	int line;     /* of the section; 0: there is none, the agent is made of defaults */
	bool leaving; /* a later configuration has it no more: it ends with what it runs */
	int size;     /* slots: jobs that may run at once */
	char *user;   /* that its handlers run as unless they name their own, or NULL */
	int queue_count;
	struct config_queue *queues;
	int handler_count; /* indexes of the handlers that it may run: all, or those of its filter */
	int *handlers;     /* into config.handlers */
	struct config_key_lines lines;
};

/* One row per top-level setting. The flag is --key with dashes, the environment twin LOCUM_KEY in
 * capitals; a boolean has --no-key too.
 *   durations  field, key, default in ms, least in ms, help
 *   texts      field, key, default, name of its value, help
 *   booleans   field, key, default, help */
#define CONFIG_DURATIONS(X)                                                                        \
	X(poll_interval_ms, "poll_interval", 1000, 10, "look for jobs this often when idle")       \
	X(ping_interval_ms, "ping_interval", 5000, 10, "give a sign of life this often")           \
	X(ping_death_interval_ms, "ping_death_interval", 30000, 10,                                \
	  "siblings may declare this dispatcher dead after that long without one")                 \
	X(kill_grace_ms, "kill_grace", 5000, 0, "time between SIGTERM and SIGKILL of a handler")   \
	X(fence_margin_ms, "fence_margin", 3000, 10,                                               \
	  "its jobs are dead this long before siblings may take them")                             \
	X(scan_interval_ms, "scan_interval", 1000, 10, "look for dead siblings this often")        \
	X(drain_timeout_ms, "drain_timeout", 25000, 0,                                             \
	  "running jobs may finish this long on SIGTERM")
#define CONFIG_TEXTS(X)                                                                            \
	X(database, "database", "", "CONNINFO", "database: a URL or key=value pairs, as for psql") \
	X(host_database, "host_database", "", "CONNINFO",                                          \
	  "database for plugin hosts, with a role of their own")                                   \
	X(state_dir, "state_dir", "/var/lib/locum", "DIR",                                         \
	  "where the dispatcher's identity is kept")                                               \
	X(agent_program, "agent_program", "", "FILE", "locum-agent, when it is not beside locumd") \
	X(trace_file, "trace_file", "", "FILE",                                                    \
	  "audit trail: what is known of each job, and when")                                      \
	X(log_level, "log_level", "info", "LEVEL", "debug, info, warning or error")                \
	X(log_format, "log_format", "logfmt", "FORMAT", "logfmt or json")
#define CONFIG_BOOLEANS(X)                                                                         \
	X(listen, "listen", 1, "let the database wake an idle dispatcher")                         \
	X(prepared, "prepared", 1, "keep prepared statements (not through PgBouncer)")             \
	X(root_handlers, "root_handlers", 0, "let handlers without a user run as root")

struct config {
#define CONFIG_DURATION_FIELD(field, key, value, least, help)                                      \
	int64_t field;                                                                             \
	struct config_origin field##_origin;
#define CONFIG_TEXT_FIELD(field, key, value, meta, help)                                           \
	char *field;                                                                               \
	struct config_origin field##_origin;
#define CONFIG_BOOLEAN_FIELD(field, key, value, help)                                              \
	int field;                                                                                 \
	struct config_origin field##_origin;
	CONFIG_DURATIONS(CONFIG_DURATION_FIELD)
	CONFIG_TEXTS(CONFIG_TEXT_FIELD)
	CONFIG_BOOLEANS(CONFIG_BOOLEAN_FIELD)
#undef CONFIG_DURATION_FIELD
#undef CONFIG_TEXT_FIELD
#undef CONFIG_BOOLEAN_FIELD
	char *file; /* where it was read from, or NULL */
	int agent_count;
	struct config_agent *agents;
	int handler_count;
	struct handler *handlers;
	int *handler_lines;                         /* the line of each handler's section … */
	struct config_key_lines *handler_key_lines; /* … and of its keys */
};

/* One setting given on the command line: key as in the file, value as text. */
struct config_override {
	const char *key;
	const char *value;
};

/* Reads `file` (NULL: CONFIG_DEFAULT_FILE when it is there), then the environment, then the
 * overrides, checks the whole, and fills *config, which the caller releases with config_fini. Every
 * error is ERROR_INPUT and names the file and line, the variable or the flag, and what was expected;
 * *config is then empty. */
int config_load(struct config *config, const char *file, const struct config_override *overrides,
		size_t override_count, struct error *err);
#define CONFIG_DEFAULT_FILE "/etc/locum/locumd.conf"

/* Frees what *config owns and leaves it empty. */
void config_fini(struct config *config);

/* Writes the effective values in the syntax of the file, each with a comment that names its origin.
 * The password of the database is masked. Returns 0, or -1 when memory ends. */
int config_print(const struct config *config, FILE *out, struct error *err);

#endif
