/* What is done to the server itself, its disk and its clock: rows 34 to 39, 45, 46. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage.h"

enum {
	BITE_MS = 30000,
	BACK_MS = 60000,
	TRACER_END_MS = 5000,
	PIDS_SIZE = 4096,
	FILL_PIECE = 1 << 20,
	HOUR_S = 3600,
	JUMP_LEAST_S = 3500,
};

struct own {
	pid_t tracer;
	char output[PATH_MAX]; /* what it tells */
	char fill[PATH_MAX];   /* the file that fills the disk */
	pid_t backend;         /* that is killed */
	pid_t session;         /* the harness's own, which ends when the server restarts */
};

static struct own *own_of(struct bout *bout, struct error *err)
{
	if (bout->own == NULL)
		bout->own = calloc(1, sizeof(struct own));
	if (bout->own == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	return bout->own;
}

static struct server *server_of(const struct bout *bout)
{
	return bout->stage->server;
}

/* --- a server that restarts for one session ------------------------------------------------------ */

static int note_session(struct bout *bout, struct error *err)
{
	struct own *own = own_of(bout, err);
	PGconn *conn = own == NULL ? NULL : server_connection(server_of(bout), err);

	if (conn == NULL)
		return -1;
	own->session = PQbackendPID(conn);
	return 0;
}

static bool is_session_gone(struct bout *bout)
{
	const struct own *own = bout->own;

	return !process_lives(own->session);
}

static int await_restart(struct bout *bout, struct error *err)
{
	return bout_await(bout, is_session_gone, BITE_MS, "the restart of the server", err);
}

/* --- 34, 35, 39: a server that ends ------------------------------------------------------------- */

static int stop(struct bout *bout, int signal, struct error *err)
{
	pid_t pid = server_pid(server_of(bout));

	if (server_stop(server_of(bout), signal, err) != 0)
		return -1;
	if (pid != 0 && server_pid(server_of(bout)) == 0)
		bout_witness(bout, "the server's process %d is gone", (int)pid);
	return 0;
}

static int inject_crash(struct bout *bout, struct error *err)
{
	return stop(bout, SIGQUIT, err);
}

static int inject_kill(struct bout *bout, struct error *err)
{
	return stop(bout, SIGKILL, err);
}

static int inject_outage(struct bout *bout, struct error *err)
{
	return stop(bout, SIGINT, err);
}

static int start(struct bout *bout, struct error *err)
{
	if (server_start(server_of(bout), err) != 0)
		return -1;
	return server_await(server_of(bout), BACK_MS, err);
}

static int64_t three_deaths_ms(const struct bout *bout)
{
	return 3 * bout->stage->act->intervals.death_ms;
}

/* --- 35: backend-killed ------------------------------------------------------------------------- */

static bool is_backend_gone(struct bout *bout)
{
	const struct own *own = bout->own;

	return !process_lives(own->backend);
}

static int inject_backend_killed(struct bout *bout, struct error *err)
{
	struct own *own = own_of(bout, err);
	int64_t pid;

	if (own == NULL || note_session(bout, err) != 0 ||
	    server_run(server_of(bout), "session_any", NULL, 0, &pid, err) != 0)
		return -1;
	own->backend = (pid_t)pid;
	if (pid <= 1 || kill(own->backend, SIGKILL) != 0)
		return error_set(err, ERROR_RETRY, "there is no session of a dispatcher to kill");
	if (bout_await(bout, is_backend_gone, BITE_MS, "the end of the session", err) != 0 ||
	    await_restart(bout, err) != 0)
		return -1;
	bout_witness(bout, "the server process %d of a session is gone, and with it all others",
		     (int)pid);
	return 0;
}

static int await_server(struct bout *bout, struct error *err)
{
	return server_await(server_of(bout), BACK_MS, err);
}

/* --- 36, 37: strace ----------------------------------------------------------------------------- */

static int possible_strace(struct error *err)
{
	static const char *const PATHS[] = { "/usr/bin/strace", "/bin/strace",
					     "/usr/local/bin/strace" };

	for (size_t i = 0; i < sizeof(PATHS) / sizeof(*PATHS); i++)
		if (access(PATHS[i], X_OK) == 0)
			return 0;
	return error_set(err, ERROR_RETRY, "strace is not installed");
}

static bool has_injected(struct bout *bout)
{
	const struct own *own = bout->own;
	FILE *file = fopen(own->output, "re");
	char line[512];
	bool found = false;

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
		found = strstr(line, "INJECTED") != NULL || strstr(line, "DELAYED") != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

/* Attaches strace to the sessions, and to those who write the log for them. */
static int attach(struct bout *bout, const char *injection, struct error *err)
{
	struct own *own = own_of(bout, err);
	char pids[PIDS_SIZE];
	const char *const argv[] = { "strace",
				     "-f",
				     "-qq",
				     "-e",
				     "trace=fdatasync",
				     "-e",
				     injection,
				     "-o",
				     own == NULL ? "" : own->output,
				     "-p",
				     pids,
				     NULL };
	const struct undo_spawn spawn = { .argv = argv };

	if (own == NULL)
		return -1;
	snprintf(own->output, sizeof(own->output), "%s/strace-%d", bout->stage->scratch,
		 bout->number);
	if (server_look(server_of(bout), "session_list", NULL, 0, pids, sizeof(pids), err) != 0 ||
	    undo_spawn(bout->stage->undo, &spawn, &own->tracer, err) != 0)
		return -1;
	return bout_await(bout, has_injected, BITE_MS, "the injection of strace", err);
}

static int detach(struct bout *bout, struct error *err)
{
	struct own *own = bout->own;
	int status;

	if (own == NULL || own->tracer == 0)
		return 0;
	kill(own->tracer, SIGTERM);
	if (undo_wait(bout->stage->undo, own->tracer, TRACER_END_MS, &status, err) == 0) {
		kill(own->tracer, SIGKILL);
		undo_wait(bout->stage->undo, own->tracer, TRACER_END_MS, &status, err);
	}
	own->tracer = 0;
	return 0;
}

static int inject_sync_fails(struct bout *bout, struct error *err)
{
	if (note_session(bout, err) != 0 || attach(bout, "inject=fdatasync:error=EIO", err) != 0 ||
	    await_restart(bout, err) != 0)
		return -1;
	bout_witness(bout,
		     "strace answered a session's fdatasync with EIO, and all sessions ended");
	return 0;
}

static int inject_sync_slow(struct bout *bout, struct error *err)
{
	if (attach(bout, "inject=fdatasync:delay_enter=1000000", err) != 0)
		return -1;
	bout_witness(bout, "strace kept a session's fdatasync waiting for a second");
	return 0;
}

/* The server ends all its sessions after it, and recovers. */
static int heal_sync(struct bout *bout, struct error *err)
{
	detach(bout, err);
	if (server_pid(server_of(bout)) == 0)
		return start(bout, err);
	return await_server(bout, err);
}

/* --- 38: disk-full ------------------------------------------------------------------------------ */

static int fill(const char *path, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char *piece = calloc(1, FILL_PIECE);
	size_t size = FILL_PIECE;

	if (fd < 0 || piece == NULL) {
		free(piece);
		return error_set_errno(err, ERROR_FATAL, errno, "cannot fill the disk");
	}
	while (size > 0)
		if (write(fd, piece, size) <= 0)
			size /= 2;
	close(fd);
	free(piece);
	return 0;
}

/* Whether the server is refused room: it says so, or has ended over it. */
static bool is_full(struct bout *bout)
{
	struct error err = { ERROR_NONE, "", "" };

	if (server_pid(server_of(bout)) == 0)
		return true;
	return server_run(server_of(bout), "disk_write", NULL, 0, NULL, &err) != 0 &&
	       strcmp(err.sqlstate, "53100") == 0;
}

static int inject_disk_full(struct bout *bout, struct error *err)
{
	struct own *own = own_of(bout, err);

	if (own == NULL)
		return -1;
	snprintf(own->fill, sizeof(own->fill), "%s/filler", server_folder(server_of(bout)));
	if (fill(own->fill, err) != 0 ||
	    bout_await(bout, is_full, BITE_MS, "a write that is refused", err) != 0)
		return -1;
	bout_witness(bout, server_pid(server_of(bout)) == 0
				   ? "the server ended for want of room"
				   : "the server refused a write with 53100");
	return 0;
}

static int heal_disk(struct bout *bout, struct error *err)
{
	const struct own *own = bout->own;

	if (own != NULL && own->fill[0] != '\0')
		unlink(own->fill);
	if (start(bout, err) != 0)
		return -1;
	return server_script(server_of(bout), "disk_written", err);
}

/* --- 45, 46: the server's clock ----------------------------------------------------------------- */

static int set_clock(struct bout *bout, int seconds, struct error *err)
{
	int64_t server_us;
	int64_t wall_us;
	int64_t ahead_s;

	if (stage_set_clock(bout->stage, -1, seconds, 0, err) != 0 ||
	    server_run(server_of(bout), "server_now", NULL, 0, &server_us, err) != 0)
		return -1;
	wall_us = clock_wall_ms() * 1000;
	ahead_s = (server_us - wall_us) / 1000000;
	history_write(&bout->stage->nemesis, "clock %" PRId64 " %" PRId64, wall_us, server_us);
	if (llabs(ahead_s) >= JUMP_LEAST_S)
		bout_witness(bout, "the server's clock is %" PRId64 " s ahead of this machine's",
			     ahead_s);
	return 0;
}

static int inject_forward(struct bout *bout, struct error *err)
{
	return set_clock(bout, HOUR_S, err);
}

static int inject_back(struct bout *bout, struct error *err)
{
	return set_clock(bout, -HOUR_S, err);
}

static int heal_clock(struct bout *bout, struct error *err)
{
	if (set_clock(bout, 0, err) != 0)
		return -1;
	return server_script(server_of(bout), "clock_due", err);
}

static int64_t two_deaths_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

/* --- the catalogue's rows ----------------------------------------------------------------------- */

#define QUIET (FAULT_NO_DEATH | FAULT_NO_OVERLAP | FAULT_OWNS_SERVER)

const struct fault fault_server[] = {
	{
		.row = 34,
		.name = "server-crashed",
		.demands = QUIET,
		.what = "the server is shut down at once, without writing anything",
		.tool = "SIGQUIT",
		.witness = "its process is gone",
		.heals = "it is started, and recovers",
		.pass = "nobody dies of the outage",
		.inject = inject_crash,
		.heal = start,
	},
	{
		.row = 35,
		.name = "backend-killed",
		.demands = QUIET,
		.what = "the server process of one session is killed; the server restarts for it",
		.tool = "kill -9",
		.witness = "the process is gone",
		.heals = "the server recovers",
		.pass = "nobody dies of it",
		.inject = inject_backend_killed,
		.heal = await_server,
	},
	{
		.row = 35,
		.name = "server-killed",
		.demands = QUIET,
		.what = "the server's first process is killed",
		.tool = "kill -9",
		.witness = "its process is gone",
		.heals = "it is started, and recovers",
		.pass = "nobody dies of the outage",
		.inject = inject_kill,
		.heal = start,
	},
	{
		.row = 36,
		.name = "sync-fails",
		.demands = QUIET,
		.what = "an fdatasync of the server fails; it panics and recovers, and what it was about to "
			"commit may be committed",
		.tool = "strace",
		.witness = "strace wrote the call that it answered",
		.heals = "strace ends, the server recovers",
		.pass = "unknown commits are resolved; nobody dies",
		.possible = possible_strace,
		.inject = inject_sync_fails,
		.heal = heal_sync,
	},
	{
		.row = 37,
		.name = "sync-slow",
		.demands = QUIET | FAULT_NO_CONFLICT | FAULT_QUICK_PINGS,
		.what = "each fdatasync of the server takes a second longer",
		.tool = "strace",
		.witness = "strace wrote the call that it delayed",
		.heals = "strace ends",
		.pass = "pings do not wait: 99 % of them take at most five times as long as usual, or 50 ms; nobody dies, nothing is reassigned",
		.possible = possible_strace,
		.inject = inject_sync_slow,
		.hold_ms = two_deaths_ms,
		.heal = heal_sync,
	},
	{
		.row = 38,
		.name = "disk-full",
		.stage = STAGE_DISK,
		.demands = QUIET,
		.what = "the server's disk is full",
		.tool = "a small tmpfs",
		.witness = "the server refuses a write for want of room, or ends",
		.heals = "there is room again; a server that ended is started",
		.pass = "work goes on by itself",
		.inject = inject_disk_full,
		.hold_ms = two_deaths_ms,
		.heal = heal_disk,
	},
	{
		.row = 39,
		.name = "server-down-long",
		.demands = QUIET,
		.what = "the server is away for three death intervals, and comes back",
		.tool = "SIGINT",
		.witness = "its process is gone",
		.heals = "it is started",
		.pass = "nobody declares anybody dead when it is back",
		.inject = inject_outage,
		.hold_ms = three_deaths_ms,
		.heal = start,
	},
	{
		.row = 45,
		.name = "server-clock-forward",
		.stage = STAGE_CLOCK,
		.demands = QUIET | FAULT_NO_CONFLICT,
		.what = "the server's clock jumps an hour ahead, and back again",
		.tool = "skew.so",
		.witness = "the server's time is an hour from this machine's",
		.heals = "the clock is right again; what was put off meanwhile is due",
		.pass = "nobody dies",
		.inject = inject_forward,
		.hold_ms = two_deaths_ms,
		.heal = heal_clock,
	},
	{
		.row = 46,
		.name = "server-clock-back",
		.stage = STAGE_CLOCK,
		.demands = QUIET | FAULT_NO_CONFLICT,
		.what = "the server's clock jumps an hour back, and ahead again",
		.tool = "skew.so",
		.witness = "the server's time is an hour from this machine's",
		.heals = "the clock is right again",
		.pass = "nobody dies",
		.inject = inject_back,
		.hold_ms = two_deaths_ms,
		.heal = heal_clock,
	},
	{ 0 },
};
