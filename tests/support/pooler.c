#include "tests/support/pooler.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PORT = 6432, CONNINFO_SIZE = SCENARIO_PATH * 3 };

static void write_settings(const struct pooler *pooler)
{
	char path[SCENARIO_PATH * 2];
	FILE *file;

	snprintf(path, sizeof(path), "%s/pgbouncer.ini", pooler->folder);
	file = fopen(path, "we");
	if (file == NULL)
		scenario_fail(pooler->s, "cannot write %s: %s", path, strerror(errno));
	fprintf(file,
		"[databases]\n"
		"* = host=%s user=postgres\n"
		"[pgbouncer]\n"
		"unix_socket_dir = %s\n"
		"listen_port = %d\n"
		"auth_type = any\n"
		"pool_mode = transaction\n"
		"default_pool_size = %d\n"
		"server_login_retry = 1\n",
		PQhost(pooler->s->database->sql), pooler->folder, PORT, POOLER_SIZE);
	fclose(file);
}

static const struct passwd *owner(void)
{
	return geteuid() == 0 ? getpwnam("postgres") : NULL;
}

/* In the child. It refuses to be root. */
_Noreturn static void become(const struct pooler *pooler)
{
	const struct passwd *user = owner();
	char settings[SCENARIO_PATH * 2];
	char path[SCENARIO_PATH * 2];
	int log;

	snprintf(settings, sizeof(settings), "%s/pgbouncer.ini", pooler->folder);
	snprintf(path, sizeof(path), "%s/log", pooler->folder);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (log >= 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2 &&
	    (user == NULL || (setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0))) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("pgbouncer", "pgbouncer", "-q", settings, NULL);
		execl("/usr/sbin/pgbouncer", "pgbouncer", "-q", settings, NULL);
	}
	_exit(127);
}

static void start(struct pooler *pooler)
{
	int64_t deadline_ms = scenario_deadline_ms();
	char conninfo[CONNINFO_SIZE];

	write_settings(pooler);
	pooler->pid = fork();
	if (pooler->pid == 0)
		become(pooler);
	snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=postgres dbname=%s",
		 pooler->folder, PORT, pooler->s->database->name);
	while (PQping(conninfo) != PQPING_OK)
		if (!scenario_is_alive(pooler->pid) || !scenario_pause(deadline_ms))
			scenario_fail(pooler->s, "pgbouncer does not answer");
}

void pooler_open(struct pooler *pooler, struct scenario *s)
{
	struct database *d = s->database;
	const struct passwd *user = owner();

	pooler->s = s;
	snprintf(pooler->folder, sizeof(pooler->folder), "%s/pooler", s->directory);
	if (mkdir(pooler->folder, 0755) != 0 ||
	    (user != NULL && chown(pooler->folder, user->pw_uid, user->pw_gid) != 0))
		scenario_fail(s, "cannot make %s: %s", pooler->folder, strerror(errno));
	start(pooler);
	snprintf(d->conninfo, sizeof(d->conninfo), "host=%s port=%d user=postgres dbname=%s",
		 pooler->folder, PORT, d->name);
}

void pooler_restart(struct pooler *pooler, int number)
{
	if (kill(pooler->pid, number) != 0 || waitpid(pooler->pid, NULL, 0) != pooler->pid)
		scenario_fail(pooler->s, "pgbouncer cannot be stopped");
	start(pooler);
}

void pooler_redirect(struct pooler *pooler)
{
	write_settings(pooler);
	if (kill(pooler->pid, SIGHUP) != 0)
		scenario_fail(pooler->s, "pgbouncer cannot be told");
}
