#include "tools/chaos/undo/undo_thing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/chaos/history/recorder.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/undo/undo_folder.h"
#include "tools/locum/program.h"

#define CONNECT_S "10"

enum { PATH_SIZE = 4096, END_MS = 10000, ENVIRON_SIZE = 65536 };

int undo_thing_check(enum undo_kind kind, const char *what, struct error *err)
{
	bool may_be = *what != '\0' && strpbrk(what, "\n") == NULL;

	switch (kind) {
	case UNDO_FOLDER:
	case UNDO_CGROUP:
		may_be = may_be && what[0] == '/' && strstr(what, "/locum-chaos") != NULL &&
			 strstr(what, "/..") == NULL;
		break;
	case UNDO_NAMESPACE:
	case UNDO_LINK:
		may_be = may_be && strpbrk(what, "/. ") == NULL;
		break;
	case UNDO_MOUNT:
		may_be = may_be && what[0] == '/';
		break;
	case UNDO_PROCESS:
	case UNDO_TABLE:
	case UNDO_SCRATCH:
		break;
	}
	return may_be ? 0 : error_set(err, ERROR_FATAL, "\"%s\" is nothing to undo", what);
}

/* --- processes ---------------------------------------------------------------------------------- */

/* Stops all of them, so that none is born while they are counted. */
static size_t stop_tree(pid_t pid, pid_t pids[static PROCESS_TREE_MAX])
{
	size_t before;
	size_t count = 0;

	do {
		before = count;
		count = process_tree(pid, pids, PROCESS_TREE_MAX);
		for (size_t i = 0; i < count; i++)
			kill(pids[i], SIGSTOP);
	} while (count > before);
	return count;
}

int undo_thing_kill(pid_t pid, struct error *err)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = stop_tree(pid, pids);

	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (size_t i = 0; i < count; i++) {
		if (!process_await_end(pids[i], END_MS))
			return error_set(err, ERROR_FATAL, "process %d does not end", (int)pids[i]);
		waitpid(pids[i], NULL, WNOHANG);
	}
	return 0;
}

static int end_process(const char *what, struct error *err)
{
	char *began;
	pid_t pid = (pid_t)strtol(what, &began, 10);

	if (pid <= 1 || process_began(pid) != strtoull(began, NULL, 10) ||
	    process_state(pid) == '\0')
		return 0;
	return undo_thing_kill(pid, err) != 0 ? -1 : 1;
}

/* Whether a process belongs to what is being ended. */
typedef bool belongs(pid_t pid, const void *to);

/* Ends those that belong; how many there were. */
static int end_all(belongs *does, const void *to, struct error *err)
{
	const struct dirent *entry;
	DIR *folder = opendir("/proc");
	int count = 0;

	if (folder == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot read /proc");
	while (count >= 0 && (entry = readdir(folder)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid() || !process_lives(pid) || !does(pid, to))
			continue;
		count = undo_thing_kill(pid, err) != 0 ? -1 : count + 1;
	}
	closedir(folder);
	return count;
}

static bool is_marked(pid_t pid, const void *mark)
{
	char text[ENVIRON_SIZE];
	char path[64];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	for (const char *word = text; word < text + length; word += strlen(word) + 1)
		if (strcmp(word, mark) == 0)
			return true;
	return false;
}

int undo_thing_kill_marked(const char *mark, struct error *err)
{
	return end_all(is_marked, mark, err);
}

/* --- namespaces --------------------------------------------------------------------------------- */

static bool is_inside(pid_t pid, const void *namespace)
{
	const struct stat *wanted = namespace;
	struct stat own;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &own) == 0 && own.st_ino == wanted->st_ino &&
	       own.st_dev == wanted->st_dev;
}

static int end_namespace(const char *name, struct error *err)
{
	char path[PATH_SIZE];
	struct stat namespace;
	struct stat host;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	if (stat(path, &namespace) != 0)
		return 0;
	/* The name stands for the host's own until `ip netns add` has mounted the new one there. */
	if (stat("/proc/self/ns/net", &host) == 0 && host.st_dev == namespace.st_dev &&
	    host.st_ino != namespace.st_ino && end_all(is_inside, &namespace, err) < 0)
		return -1;
	umount2(path, MNT_DETACH);
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot remove %s", path);
	return 1;
}

static int end_link(const char *name, struct error *err)
{
	const char *const argv[] = { "ip", "link", "delete", "dev", name, NULL };
	const struct program_run run = { argv, NULL, "/dev/null" };
	int code;

	if (if_nametoindex(name) == 0)
		return 0;
	if (program_run(&run, &code, err) != 0)
		return -1;
	return if_nametoindex(name) == 0
		       ? 1
		       : error_set(err, ERROR_FATAL, "cannot delete the network device %s", name);
}

/* what: FAMILY NAME */
static int end_table(const char *what, struct error *err)
{
	char family[64];
	char name[128];
	const char *const list[] = { "nft", "list", "table", family, name, NULL };
	const char *const delete[] = { "nft", "delete", "table", family, name, NULL };
	int code;

	if (sscanf(what, "%63s %127s", family, name) != 2)
		return error_set(err, ERROR_FATAL, "\"%s\" is no FAMILY NAME", what);
	if (program_run(&(struct program_run){ list, NULL, "/dev/null" }, &code, err) != 0)
		return -1;
	if (code != 0)
		return 0;
	if (program_run(&(struct program_run){ delete, NULL, "/dev/null" }, &code, err) != 0)
		return -1;
	return code == 0 ? 1 : error_set(err, ERROR_FATAL, "cannot delete the table %s", what);
}

/* --- files -------------------------------------------------------------------------------------- */

static int end_mount(const char *path, struct error *err)
{
	if (umount2(path, 0) == 0 || umount2(path, MNT_DETACH) == 0)
		return 1;
	if (errno == EINVAL || errno == ENOENT)
		return 0;
	return error_set_errno(err, ERROR_FATAL, errno, "cannot unmount %s", path);
}

/* Writes a word into a file of a cgroup that may not be there. */
static bool tell(const char *cgroup, const char *name, const char *word)
{
	char path[PATH_SIZE];
	bool told;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	told = write(fd, word, strlen(word)) > 0;
	close(fd);
	return told;
}

void undo_thing_thaw(const char *cgroup)
{
	tell(cgroup, "freezer.state", "THAWED");
	tell(cgroup, "cgroup.freeze", "0");
}

static int empty_cgroup(const char *cgroup, struct error *err)
{
	char path[PATH_SIZE];
	int status = 0;
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	file = fopen(path, "re");
	while (file != NULL && status == 0 && fscanf(file, "%d", &pid) == 1)
		if (pid > 1 && pid != getpid())
			status = undo_thing_kill(pid, err);
	if (file != NULL)
		fclose(file);
	return status;
}

/* Its own groups first. */
static int end_cgroup(const char *cgroup, struct error *err)
{
	DIR *folder = opendir(cgroup);
	const struct dirent *entry;
	int status = 0;

	if (folder == NULL)
		return 0;
	undo_thing_thaw(cgroup);
	while (status >= 0 && (entry = readdir(folder)) != NULL) {
		char path[PATH_SIZE];

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", cgroup, entry->d_name);
		status = end_cgroup(path, err);
	}
	closedir(folder);
	if (status < 0 || empty_cgroup(cgroup, err) != 0)
		return -1;
	if (rmdir(cgroup) != 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot remove %s", cgroup);
	return 1;
}

/* --- databases ---------------------------------------------------------------------------------- */

/* What goes along with the harness's schema is nobody's news. */
static void ignore_notice(void *to, const PGresult *notice)
{
	(void)to;
	(void)notice;
}

static const char *value_of(const PQconninfoOption *options, const char *key)
{
	for (; options != NULL && options->keyword != NULL; options++)
		if (strcmp(options->keyword, key) == 0)
			return options->val;
	return NULL;
}

void undo_thing_name_database(const char *conninfo, char *text, size_t size)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	const char *name = value_of(options, "dbname");
	const char *host = value_of(options, "host");
	const char *port = value_of(options, "port");

	/* As libpq itself: what is no list of pairs and no URL names a database. */
	if (options == NULL && strchr(conninfo, '=') == NULL && strstr(conninfo, "://") == NULL)
		name = conninfo;
	snprintf(text, size, "host=%s%s%s dbname=%s", host == NULL ? "(default)" : host,
		 port == NULL ? "" : " port=", port == NULL ? "" : port,
		 name == NULL ? "(default)" : name);
	PQconninfoFree(options);
}

/* A server that is away must not keep a run waiting, unless the user says otherwise. */
static int end_scratch(const char *conninfo, struct error *err)
{
	static const char *const KEYS[] = { "connect_timeout", "dbname", NULL };
	const char *const values[] = { CONNECT_S, conninfo, NULL };
	PGconn *conn = PQconnectdbParams(KEYS, values, 1);
	int status = 1;

	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	if (PQstatus(conn) != CONNECTION_OK)
		status = error_set(err, ERROR_RETRY, "cannot clean the database: %s",
				   PQerrorMessage(conn));
	else if (recorder_remove(conn, err) != 0)
		status = -1;
	PQfinish(conn);
	return status;
}

int undo_thing_end(enum undo_kind kind, const char *what, struct error *err)
{
	switch (kind) {
	case UNDO_PROCESS:
		return end_process(what, err);
	case UNDO_NAMESPACE:
		return end_namespace(what, err);
	case UNDO_TABLE:
		return end_table(what, err);
	case UNDO_LINK:
		return end_link(what, err);
	case UNDO_MOUNT:
		return end_mount(what, err);
	case UNDO_CGROUP:
		return end_cgroup(what, err);
	case UNDO_FOLDER:
		return undo_folder(what, err);
	case UNDO_SCRATCH:
		return end_scratch(what, err);
	}
	return 0;
}
