/*
 * Every size, count and time that a user controls, named once. The SQL files get these values at
 * build time: a word LIMIT_… in a file under db/ is replaced by its number.
 */
#ifndef LOCUM_BASE_LIMITS_H
#define LOCUM_BASE_LIMITS_H

enum {
	LIMIT_NAME_BYTES = 63,             /* names of queues, handlers, agents, keys' queues */
	LIMIT_KEY_BYTES = 255,             /* a job's unique key */
	LIMIT_PAYLOAD_BYTES = 1048576,     /* a job's payload */
	LIMIT_RESULT_BYTES = 1048576,      /* a job's result */
	LIMIT_LOG_BYTES = 65536,           /* what is kept of a handler's output: its tail */
	LIMIT_ERROR_BYTES = 4096,          /* a job's error text */
	LIMIT_CHECKPOINT_BYTES = 8192,     /* what a run leaves to the next one of its job */
	LIMIT_PROGRESS_BYTES = 1024,       /* the message of a job's progress */
	LIMIT_PAYLOAD_INLINE_BYTES = 8192, /* larger payloads do not come with the claim */
	LIMIT_PRIORITY_MAX = 9,            /* priorities are 0 (first) to this */
	LIMIT_PRIORITY_DEFAULT = 5,
	LIMIT_LABELS = 32,        /* labels of a job */
	LIMIT_LABEL_BYTES = 256,  /* the value of a label; a label's name is a name */
	LIMIT_FOLLOW_DEPTH = 16,  /* follow-ups of follow-ups */
	LIMIT_WAIT_DAYS = 36500,  /* the longest interval that a job's option may be */
	LIMIT_REQUEST_HOURS = 48, /* how long a request_id is remembered: a day and the
					    * longest transaction that may have stored it */
	LIMIT_HISTORY = 50,       /* entries of a job's history */
	LIMIT_ATTEMPTS_DEFAULT = 5,
	LIMIT_ATTEMPTS_MAX = 1000,
	LIMIT_SUSPECTED = 2,        /* interruptions with which a job starts alone after a death */
	LIMIT_PROBATION_MS = 1000,  /* what was interrupted by a death runs so long on probation: */
	LIMIT_PROBATION_GROWTH = 4, /* longer by this factor each time; locum.on_probation */
	LIMIT_INTERRUPTIONS = 9,    /* interruptions before "interrupted too often" */
	LIMIT_CLAIM_BATCH = 1000,   /* jobs in one claim */
	LIMIT_COMPLETION_JOBS = 1000,     /* jobs in one completion */
	LIMIT_COMPLETION_BYTES = 4194304, /* bytes of results, errors and logs in one completion */
	LIMIT_RECENT_COMPLETIONS = 10000, /* completions that are checked after a failover */
	LIMIT_SUBMIT_BATCH = 10000,       /* jobs in one call of submit_arrays */
	LIMIT_LINE_BYTES = 2097152,       /* a line of a submission stream */
	LIMIT_OPTIONS_BYTES = 2097152,    /* a job's options as one JSON text on their way in */
	LIMIT_BUFFER_LINES = 1000000,     /* lines that wait while a batch is stored */
	LIMIT_BUFFER_BYTES = 16777216,    /* and their bytes */
	LIMIT_AGENT_SIZE = 10000,         /* slots of one agent */
	LIMIT_AGENTS = 64,                /* agent sections of one configuration */
	LIMIT_HANDLERS = 1000,            /* handler sections of one configuration */
	LIMIT_CONCURRENCY = 10000,        /* jobs that one process of a service has at once */
	LIMIT_INSTANCES = 256,            /* processes of one service in one agent */
	LIMIT_QUEUE_WEIGHT = 1000,        /* the N in "queue=N" */
	LIMIT_RETRY_BASE_MS = 1000,       /* first retry back-off, doubled each time */
	LIMIT_RETRY_CAP_MS = 3600000,     /* longest retry back-off */
	LIMIT_CONFLICTS = 5,              /* repetitions of a completion that meets conflicts */
	LIMIT_DEATH_INTERVAL_UNKNOWN_MS = 3600000, /* of whom nobody has written anything */
	LIMIT_LOCK_WAIT_MS = 1000,         /* a dispatcher's wait for a job that somebody locked */
	LIMIT_CANCEL_WAIT_MS = 200,        /* a cancellation's, for the same */
	LIMIT_DELAY_SECONDS = 2678400,     /* longest wait that a run may ask for: 31 days */
	LIMIT_RETENTION_DAYS = 7,          /* how long finished jobs stay by default */
	LIMIT_PARTITIONS_AHEAD = 7,        /* days of `finished` made in advance */
	LIMIT_SIBLINGS_WATCHED = 50,       /* above it, each dispatcher watches its successors */
	LIMIT_SUCCESSORS_WATCHED = 8,      /* so many of them */
	LIMIT_CHAOS_JOBS = 100000000,      /* jobs in an act of the failure harness */
	LIMIT_CHAOS_DISPATCHERS_LEAST = 2, /* nobody declares a lone one dead */
	LIMIT_CHAOS_DISPATCHERS = 200,     /* dispatchers in one */
	LIMIT_CHAOS_CLIENTS = 64,          /* clients of its load */
	LIMIT_CHAOS_PAIRS = 10000,         /* random pairs of faults */
};

#endif
