#include "tools/locum/place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOCK_POLL_MS = 50, LOCK_WAIT_MS = 10000 };

#define SOCKET_NAME "/.s.PGSQL.5432"

/* Puts "TOP/NAME" into *path; remembers a failure in *failed. */
static void join(char **path, const char *top, const char *name, bool *failed)
{
	if (asprintf(path, "%s/%s", top, name) < 0) {
		*path = NULL;
		*failed = true;
	}
}

static const char *home_folder(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (home != NULL && home[0] == '/')
		return home;
	user = getpwuid(geteuid());
	return user == NULL ? NULL : user->pw_dir;
}

/* The specification of XDG ignores a value that is no absolute path. */
static int find_top(struct place *place, struct error *err)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = home_folder();
	bool failed = false;

	if (place->root)
		place->top = strdup("/var/lib/locum");
	else if (state != NULL && state[0] == '/')
		join(&place->top, state, "locum", &failed);
	else if (home != NULL)
		join(&place->top, home, ".local/state/locum", &failed);
	else
		return error_set(err, ERROR_FATAL,
				 "there is no home folder: set HOME or XDG_STATE_HOME");
	if (place->top == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	return 0;
}

static int fill(struct place *place, struct error *err)
{
	const struct {
		char **path;
		const char *name;
	} parts[] = {
		{ &place->data, "data" },           { &place->server_log, "server.log" },
		{ &place->setup_log, "setup.log" }, { &place->config, "locumd.conf" },
		{ &place->state, "dispatcher" },    { &place->pid, "dispatcher.pid" },
		{ &place->lock, "lock" },
	};
	bool failed = false;

	if (find_top(place, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		join(parts[i].path, place->top, parts[i].name, &failed);
	if (place->root)
		place->socket = strdup("/run/locum");
	else
		join(&place->socket, place->top, "run", &failed);
	return failed || place->socket == NULL ? error_set(err, ERROR_RETRY, "out of memory") : 0;
}

int place_find(struct place *place, struct error *err)
{
	struct place found = { .root = geteuid() == 0 };
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof(SOCKET_NAME);

	if (fill(&found, err) != 0) {
		place_fini(&found);
		return -1;
	}
	if (strlen(found.socket) > most) {
		error_set(
			err, ERROR_FATAL,
			"the folder %s is too deep for a socket: its path may have %zu bytes, not "
			"%zu; set XDG_STATE_HOME to a shorter one",
			found.socket, most, strlen(found.socket));
		place_fini(&found);
		return -1;
	}
	*place = found;
	return 0;
}

void place_fini(struct place *place)
{
	char *const paths[] = { place->top,        place->data,      place->socket,
				place->server_log, place->setup_log, place->config,
				place->state,      place->pid,       place->lock };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		free(paths[i]);
	memset(place, 0, sizeof(*place));
}

/* Makes a folder and those above it. */
static int make_folder(const char *path, mode_t mode, struct error *err)
{
	char *copy = strdup(path);
	int status = 0;

	if (copy == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0755); /* if it fails, so does the last one, which tells why */
		*slash = '/';
	}
	if (mkdir(copy, mode) == 0)
		chmod(copy, mode); /* postgres has to get through whatever root's umask is */
	else if (errno != EEXIST)
		status = error_set_errno(err, ERROR_FATAL, errno, "cannot make the folder %s",
					 path);
	if (status == 0 && access(copy, W_OK | X_OK) != 0)
		status = error_set_errno(err, ERROR_FATAL, errno, "cannot write into the folder %s",
					 path);
	free(copy);
	return status;
}

int place_make(const struct place *place, struct error *err)
{
	mode_t mode = place->root ? 0755 : 0700;

	if (make_folder(place->top, mode, err) != 0 || make_folder(place->socket, mode, err) != 0)
		return -1;
	return make_folder(place->state, 0700, err);
}

int place_lock(const struct place *place, struct error *err)
{
	int fd = open(place->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot open %s", place->lock);
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_POLL_MS) {
		if (waited_ms >= LOCK_WAIT_MS) {
			close(fd);
			return error_set(err, ERROR_RETRY,
					 "another \"locum up\" or \"locum down\" is at work");
		}
		poll(NULL, 0, LOCK_POLL_MS);
	}
	return fd;
}

bool place_has_cluster(const struct place *place)
{
	return access(place->data, F_OK) == 0;
}

/* Quotes a value of a connection string. */
static void put_quoted(char *out, const char *value)
{
	*out++ = '\'';
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			*out++ = '\\';
		*out++ = *value;
	}
	*out++ = '\'';
	*out = '\0';
}

char *place_conninfo(const struct place *place, const char *database)
{
	char *quoted = malloc(2 * strlen(place->socket) + 3);
	char *conninfo = NULL;

	if (quoted == NULL)
		return NULL;
	put_quoted(quoted, place->socket);
	if (asprintf(&conninfo, "host=%s port=5432 dbname=%s user=%s", quoted, database,
		     PLACE_SUPERUSER) < 0)
		conninfo = NULL;
	free(quoted);
	return conninfo;
}
