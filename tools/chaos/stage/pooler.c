#include "tools/chaos/stage/pooler.h"

#include <errno.h>
#include <libpq-fe.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/chaos/stage/process.h"

#define OWNER "postgres" /* it refuses to run as root */
enum { PORT = 6432, POOL = 40, CLIENTS = 1000, START_MS = 20000, STOP_MS = 20000, PAUSE_MS = 20 };

struct pooler {
	struct undo *undo;
	char *log;
	char *settings;
	char *conninfo;
	pid_t pid;
};

const char *pooler_conninfo(const struct pooler *pooler)
{
	return pooler->conninfo;
}

pid_t pooler_pid(const struct pooler *pooler)
{
	return process_lives(pooler->pid) ? pooler->pid : 0;
}

/* --- starting and stopping it ------------------------------------------------------------------- */

static const char *find_program(void)
{
	static const char *const PLACES[] = { "/usr/sbin/pgbouncer", "/usr/bin/pgbouncer" };

	for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++)
		if (access(PLACES[i], X_OK) == 0)
			return PLACES[i];
	return "pgbouncer";
}

static int await_start(struct pooler *pooler, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + START_MS;

	while (PQping(pooler->conninfo) != PQPING_OK) {
		if (undo_wait(pooler->undo, pooler->pid, 0, NULL, err) != 0) {
			pooler->pid = 0;
			return error_set(err, ERROR_FATAL, "pgbouncer has ended; see %s",
					 pooler->log);
		}
		if (clock_monotonic_ms() >= deadline_ms)
			return error_set(err, ERROR_FATAL, "pgbouncer does not answer; see %s",
					 pooler->log);
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

int pooler_start(struct pooler *pooler, struct error *err)
{
	const char *const argv[] = { find_program(), "-q", pooler->settings, NULL };
	const struct undo_spawn spawn = { .argv = argv,
					  .user = geteuid() == 0 ? OWNER : NULL,
					  .output = pooler->log };

	if (pooler_pid(pooler) != 0)
		return 0;
	if (pooler->pid > 0 && undo_wait(pooler->undo, pooler->pid, 0, NULL, err) < 0)
		return -1;
	if (undo_spawn(pooler->undo, &spawn, &pooler->pid, err) != 0)
		return -1;
	return await_start(pooler, err);
}

int pooler_stop(struct pooler *pooler, int signal, struct error *err)
{
	if (pooler_pid(pooler) == 0)
		return 0;
	if (kill(pooler->pid, signal) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot stop pgbouncer");
	switch (undo_wait(pooler->undo, pooler->pid, STOP_MS, NULL, err)) {
	case 0:
		return error_set(err, ERROR_FATAL, "pgbouncer does not end");
	case 1:
		pooler->pid = 0;
		return 0;
	default:
		return -1;
	}
}

/* --- making it ---------------------------------------------------------------------------------- */

static int write_settings(const struct pooler *pooler, const char *folder,
			  const char *server_folder, int server_port, struct error *err)
{
	FILE *file = fopen(pooler->settings, "we");

	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s",
				       pooler->settings);
	fprintf(file,
		"[databases]\n"
		"* = host=%s port=%d user=" OWNER "\n"
		"[pgbouncer]\n"
		"unix_socket_dir = %s\n"
		"listen_port = %d\n"
		"auth_type = any\n"
		"pool_mode = transaction\n"
		"default_pool_size = %d\n"
		"max_client_conn = %d\n"
		"server_login_retry = 1\n",
		server_folder, server_port, folder, PORT, POOL, CLIENTS);
	if (fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s",
				       pooler->settings);
	return 0;
}

static int make_folder(const char *folder, struct error *err)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam(OWNER) : NULL;

	if (mkdir(folder, 0755) != 0 ||
	    (user != NULL && chown(folder, user->pw_uid, user->pw_gid) != 0))
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", folder);
	return 0;
}

struct pooler *pooler_open(const struct stage *stage, const char *server_folder, int server_port,
			   struct error *err)
{
	struct pooler *pooler = calloc(1, sizeof(*pooler));
	char folder[PATH_MAX];

	if (pooler == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	pooler->undo = stage->undo;
	snprintf(folder, sizeof(folder), "%s/pooler", stage->scratch);
	if (asprintf(&pooler->log, "%s/logs/pooler.log", stage->folder) < 0)
		pooler->log = NULL;
	if (asprintf(&pooler->settings, "%s/pgbouncer.ini", folder) < 0)
		pooler->settings = NULL;
	if (asprintf(&pooler->conninfo, "host=%s port=%d user=" OWNER " dbname=locum", folder,
		     PORT) < 0)
		pooler->conninfo = NULL;
	if (pooler->log == NULL || pooler->settings == NULL || pooler->conninfo == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	else if (make_folder(folder, err) == 0 &&
		 write_settings(pooler, folder, server_folder, server_port, err) == 0 &&
		 pooler_start(pooler, err) == 0)
		return pooler;
	pooler_close(pooler);
	return NULL;
}

void pooler_close(struct pooler *pooler)
{
	if (pooler == NULL)
		return;
	pooler_stop(pooler, SIGKILL, NULL);
	free(pooler->log);
	free(pooler->settings);
	free(pooler->conninfo);
	free(pooler);
}
