#include "tools/locum/cluster.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/database.h"
#include "tools/locum/cli.h"
#include "tools/locum/program.h"

enum { START_MS = 10000, START_PAUSE_MS = 200, FOLDERS_OPEN = 16, LINE_SIZE = 512 };

/* Where the cluster is made before it gets its name. */
#define UNFINISHED_SUFFIX ".new"

static const char *owner(const struct place *place)
{
	return place->root ? PLACE_SUPERUSER : NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* The major version of the cluster that is there, or 0. */
static int cluster_version(const struct place *place)
{
	char path[PATH_MAX];
	int version = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/PG_VERSION", place->data);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &version) != 1)
		version = 0;
	fclose(file);
	return version;
}

/* The last line that a program left in its log, for the error. */
static void last_line(const char *path, char line[static LINE_SIZE])
{
	char read[LINE_SIZE];
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (file == NULL)
		return;
	while (fgets(read, sizeof(read), file) != NULL)
		if (read[0] != '\n')
			snprintf(line, LINE_SIZE, "%.*s", (int)strcspn(read, "\n"), read);
	fclose(file);
}

/* Runs one of the server's programs; `log` is what to show when it fails. */
static int run_server_program(const struct place *place, const char *name, const char *const *args,
			      const char *log, struct error *err)
{
	char *folder = program_server_folder(cluster_version(place), err);
	const char *argv[PROGRAM_ARGS_MAX] = { NULL };
	const struct program_run run = { argv, owner(place), place->setup_log };
	char path[PATH_MAX];
	char line[LINE_SIZE];
	int code;

	if (folder == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	free(folder);
	argv[0] = path;
	for (size_t i = 0; args[i] != NULL; i++)
		argv[i + 1] = args[i];
	if (program_run(&run, &code, err) != 0)
		return -1;
	if (code == 0)
		return 0;
	last_line(log, line);
	return error_set(err, ERROR_FATAL, "%s failed (%s); see %s", name, line, log);
}

static int give_to_owner(const struct place *place, const char *path, struct error *err)
{
	const struct passwd *user = place->root ? getpwnam(PLACE_SUPERUSER) : NULL;

	if (!place->root)
		return 0;
	if (user == NULL)
		return error_set(
			err, ERROR_FATAL,
			"there is no user %s, which has to own the database: install PostgreSQL",
			PLACE_SUPERUSER);
	if (chown(path, user->pw_uid, user->pw_gid) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot give %s to %s", path,
				       PLACE_SUPERUSER);
	return 0;
}

/* Writes `'value'` with its quotes doubled. */
static void put_setting(FILE *file, const char *name, const char *value)
{
	fprintf(file, "%s = '", name);
	for (; *value != '\0'; value++) {
		if (*value == '\'')
			putc('\'', file);
		putc(*value, file);
	}
	fputs("'\n", file);
}

static void put_settings(FILE *file, const struct place *place)
{
	fputs("\n# Set by \"locum up\".\n", file);
	put_setting(file, "listen_addresses", "");
	put_setting(file, "unix_socket_directories", place->socket);
	put_setting(file, "port", "5432");
	put_setting(file, "log_line_prefix", "%m [%p] %a ");
}

static void put_access(FILE *file, const struct place *place)
{
	(void)place;
	fputs("# Only through the socket, only for the users in pg_ident.conf.\n"
	      "local all all peer map=locum\n",
	      file);
}

static void put_users(FILE *file, const struct place *place)
{
	const struct passwd *user = getpwuid(geteuid());

	if (place->root)
		fputs("locum " PLACE_SUPERUSER " " PLACE_SUPERUSER "\n", file);
	fprintf(file, "locum \"%s\" " PLACE_SUPERUSER "\n", user == NULL ? "root" : user->pw_name);
}

static int write_file(const struct place *place, const char *folder, const char *name,
		      const char *mode, void (*put)(FILE *file, const struct place *place),
		      struct error *err)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, mode);
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	put(file, place);
	if (fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	return 0;
}

static int fill_folder(const struct place *place, const char *folder, struct error *err)
{
	const char *const args[] = { "--pgdata",
				     folder,
				     "--username=" PLACE_SUPERUSER,
				     "--encoding=UTF8",
				     "--locale=C.UTF-8",
				     "--auth-local=peer",
				     "--auth-host=reject",
				     NULL };

	if (give_to_owner(place, folder, err) != 0 ||
	    run_server_program(place, "initdb", args, place->setup_log, err) != 0)
		return -1;
	if (write_file(place, folder, "postgresql.conf", "ae", put_settings, err) != 0 ||
	    write_file(place, folder, "pg_hba.conf", "we", put_access, err) != 0 ||
	    write_file(place, folder, "pg_ident.conf", "we", put_users, err) != 0)
		return -1;
	if (rename(folder, place->data) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot rename %s", folder);
	return 0;
}

int cluster_make(const struct place *place, bool *made, struct error *err)
{
	char folder[PATH_MAX];

	if (place_has_cluster(place)) {
		*made = false;
		return 0;
	}
	snprintf(folder, sizeof(folder), "%s" UNFINISHED_SUFFIX, place->data);
	if (access(folder, F_OK) == 0)
		nftw(folder, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
	if (mkdir(folder, 0700) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make the folder %s",
				       folder);
	if (fill_folder(place, folder, err) != 0)
		return -1;
	*made = true;
	return 0;
}

/* The pid in postmaster.pid, or 0. */
static int server_pid(const struct place *place)
{
	char path[PATH_MAX];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/postmaster.pid", place->data);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid;
}

/* Whether a process lives and is a server, by "PID (NAME) STATE …". A zombie has its name still. */
static bool is_server(const char *status)
{
	const char *name = strchr(status, '(');
	const char *end = strrchr(status, ')');

	if (name == NULL || end == NULL || strlen(end) < 3 || end[2] == 'Z' || end[2] == 'X')
		return false;
	return strncmp(name, "(postgres", 9) == 0 || strncmp(name, "(postmaster", 11) == 0;
}

bool cluster_is_running(const struct place *place)
{
	char path[64];
	char status[128] = "";
	int pid = server_pid(place);
	FILE *file;

	if (pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fgets(status, sizeof(status), file) == NULL)
		status[0] = '\0';
	fclose(file);
	return is_server(status);
}

/* A server that was killed leaves files with its pid, which another program may have by now: the next
 * server would take that for the old one. */
static void remove_leftovers(const struct place *place)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/postmaster.pid", place->data);
	unlink(path);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432.lock", place->socket);
	unlink(path);
}

/* The log must be there before, as postgres may not make files in a folder of root. */
static int prepare_log(const struct place *place, struct error *err)
{
	FILE *log = fopen(place->server_log, "ae");

	if (log == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s",
				       place->server_log);
	fclose(log);
	return give_to_owner(place, place->server_log, err);
}

static int start_server(const struct place *place, struct error *err)
{
	const char *const args[] = { "start",     "--wait", "--timeout=60",    "--pgdata",
				     place->data, "--log",  place->server_log, NULL };

	if (give_to_owner(place, place->socket, err) != 0 || prepare_log(place, err) != 0)
		return -1;
	remove_leftovers(place);
	return run_server_program(place, "pg_ctl", args, place->server_log, err);
}

static int connect_server(const struct place *place, struct db **db, struct error *err)
{
	char *conninfo = place_conninfo(place, PLACE_MAINTENANCE);
	int status;

	if (conninfo == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	status = cli_dial(conninfo, db, err);
	free(conninfo);
	return status;
}

/* A server may be dying when it is looked at, or its processes may hold its memory for a moment longer;
 * and one that was killed before takes a while to recover. */
int cluster_start(const struct place *place, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + START_MS;
	struct db *db = NULL;

	for (;;) {
		bool running = cluster_is_running(place) || start_server(place, err) == 0;

		if (running && connect_server(place, &db, err) == 0)
			break;
		if ((running && err->kind != ERROR_RETRY) || clock_monotonic_ms() >= deadline_ms)
			return -1;
		poll(NULL, 0, START_PAUSE_MS);
	}
	db_close(db);
	return 0;
}

int cluster_stop(const struct place *place, struct error *err)
{
	const char *const args[] = { "stop",     "--wait",    "--mode=fast", "--timeout=120",
				     "--pgdata", place->data, NULL };

	return run_server_program(place, "pg_ctl", args, place->setup_log, err);
}

int cluster_make_database(const struct place *place, struct error *err)
{
	struct db *db;
	int status;

	if (connect_server(place, &db, err) != 0)
		return -1;
	status = database_ensure(db, err);
	db_close(db);
	return status;
}
