/* The database is put back to what it was a while ago. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/chaos/faults/ended.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage.h"
#include "tools/chaos/undo/undo_folder.h"

#define OWNER "postgres"

enum { COPY_MS = 60000, BITE_MS = 60000, CONNINFO_SIZE = PATH_MAX + 128 };

struct restore {
	char copy[PATH_MAX];
	char lost[PATH_MAX];
	struct ended ended; /* since the copy was made */
};

static int run_copy(struct bout *bout, const char *const *argv, struct error *err)
{
	const struct undo_spawn spawn = { .argv = argv, .user = geteuid() == 0 ? OWNER : NULL };
	int status = 0;
	pid_t pid;

	if (undo_spawn(bout->stage->undo, &spawn, &pid, err) != 0)
		return -1;
	switch (undo_wait(bout->stage->undo, pid, COPY_MS, &status, err)) {
	case 1:
		return status == 0 ? 0 : error_set(err, ERROR_RETRY, "pg_basebackup failed");
	case 0:
		return error_set(err, ERROR_RETRY, "pg_basebackup does not end");
	default:
		return -1;
	}
}

static int copy(struct bout *bout, const struct restore *own, struct error *err)
{
	const struct server *server = bout->stage->server;
	char program[PATH_MAX];
	char source[CONNINFO_SIZE];
	const char *const argv[] = { program,
				     "--pgdata",
				     own->copy,
				     "--dbname",
				     source,
				     "--wal-method=stream",
				     "--checkpoint=fast",
				     "--no-sync",
				     NULL };

	snprintf(program, sizeof(program), "%s/pg_basebackup", server_programs(server));
	snprintf(source, sizeof(source), "host=%s port=%d user=" OWNER, server_folder(server),
		 server_port(server));
	return run_copy(bout, argv, err);
}

static bool has_worked(struct bout *bout)
{
	struct restore *own = bout->own;

	return ended_some(bout, &own->ended);
}

/* Of those until then: dispatchers go on as soon as the server is back. */
static int count_events(struct bout *bout, const char *until, int64_t *events, struct error *err)
{
	return server_run(bout->stage->server, "restore_events", &until, 1, events, err);
}

/* The slot of the recorder is not in a copy. */
static int put_back(struct bout *bout, const struct restore *own, struct error *err)
{
	struct server *server = bout->stage->server;

	if (server_stop(server, SIGQUIT, err) != 0)
		return -1;
	bout->stage->ordered = false;
	if (rename(server_data(server), own->lost) != 0 ||
	    rename(own->copy, server_data(server)) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot put the copy in place");
	return server_start(server, err);
}

static int inject(struct bout *bout, struct error *err)
{
	struct restore *own = calloc(1, sizeof(*own));
	char until[ENDED_MOMENT_SIZE];
	int64_t before = 0;
	int64_t after = 0;

	bout->own = own;
	if (own == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	snprintf(own->copy, sizeof(own->copy), "%s.copy", server_data(bout->stage->server));
	snprintf(own->lost, sizeof(own->lost), "%s.lost", server_data(bout->stage->server));
	if (copy(bout, own, err) != 0)
		return -1;
	if (ended_begin(bout, &own->ended, err) != 0 ||
	    bout_await(bout, has_worked, BITE_MS, "the end of some jobs", err) != 0 ||
	    server_look(bout->stage->server, "moment", NULL, 0, until, sizeof(until), err) != 0 ||
	    count_events(bout, until, &before, err) != 0 || put_back(bout, own, err) != 0 ||
	    count_events(bout, until, &after, err) != 0)
		return -1;
	if (after < before)
		bout_witness(bout, "%" PRId64 " things that happened to jobs are undone",
			     before - after);
	return 0;
}

static int heal(struct bout *bout, struct error *err)
{
	const struct restore *own = bout->own;
	struct stage *stage = bout->stage;

	if (server_start(stage->server, err) != 0)
		return -1;
	if (own != NULL && (undo_folder(own->lost, err) < 0 || undo_folder(own->copy, err) < 0))
		return -1;
	return stage_follow(stage, err);
}

const struct fault fault_restore[] = {
	{
		.row = 43,
		.name = "restored-to-the-past",
		.stage = STAGE_REPLICA,
		.demands = FAULT_MAY_LOSE | FAULT_OWNS_SERVER,
		.what = "the server is stopped at once, and started with a copy of its data from before "
			"the last jobs ended",
		.tool = "pg_basebackup",
		.witness = "the database knows of less than before",
		.heals = "a new standby is made; what was lost stays so",
		.pass = "no completion of a claim is accepted that the database does not know",
		.inject = inject,
		.heal = heal,
	},
	{ 0 },
};
