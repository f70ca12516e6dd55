#include "dispatcher/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { FILE_SIZE_MAX = 512, LOCK_RETRY_MS = 20, HOME_SIZE = 96 };

/* The first line of a file, without its end; "" when it cannot be read. */
static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(line, (int)size, file) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

/* The state file, one word and its value per line. */
struct state {
	struct uuid id;
	struct uuid incarnation;
	long pid;
	int64_t system_id;
	int64_t timeline;
	char home[HOME_SIZE]; /* of the file that was written; a copy has another */
};

/* Which file of which boot of which machine this is: what a copied folder, a cloned machine and a reboot do
 * not share. */
static void write_home(int fd, char home[static HOME_SIZE])
{
	struct stat status;
	char boot[UUID_TEXT_SIZE] = "";

	read_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	if (fstat(fd, &status) != 0)
		memset(&status, 0, sizeof(status));
	snprintf(home, HOME_SIZE, "%llx:%llx:%s", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino, boot);
}

static int read_state(int fd, struct state *state)
{
	char text[FILE_SIZE_MAX + 1];
	ssize_t length = pread(fd, text, FILE_SIZE_MAX, 0);
	char id[UUID_TEXT_SIZE];
	char incarnation[UUID_TEXT_SIZE];

	memset(state, 0, sizeof(*state));
	if (length <= 0)
		return -1;
	text[length] = '\0';
	if (sscanf(text,
		   "id %36s\nincarnation %36s\npid %ld\nhome %95s\nsystem %" SCNd64
		   "\ntimeline %" SCNd64,
		   id, incarnation, &state->pid, state->home, &state->system_id,
		   &state->timeline) < 3)
		return -1;
	if (uuid_read(id, &state->id) != 0 || uuid_read(incarnation, &state->incarnation) != 0)
		return -1;
	return 0;
}

/* Whether the process is a dispatcher, not somebody who got its number later. */
static int is_dispatcher(long pid)
{
	char path[64];
	char name[32] = "";
	FILE *file;

	if (pid <= 0 || (kill((pid_t)pid, 0) != 0 && errno == ESRCH))
		return 0;
	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fgets(name, sizeof(name), file) == NULL)
		name[0] = '\0';
	fclose(file);
	return strcmp(name, "locumd\n") == 0;
}

static int lock_file(struct identity *identity, int64_t wait_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
	struct state state;

	while (flock(identity->fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set_errno(err, ERROR_INPUT, errno, "cannot lock %s",
					       identity->path);
		if (read_state(identity->fd, &state) == 0 && is_dispatcher(state.pid))
			return error_set(
				err, ERROR_INPUT,
				"another dispatcher runs with this state: process %ld holds %s",
				state.pid, identity->path);
		if (clock_monotonic_ms() >= deadline_ms)
			return error_set(err, ERROR_INPUT,
					 "%s is still held by an agent of an earlier process",
					 identity->path);
		poll(NULL, 0, LOCK_RETRY_MS); /* flock offers no event to wait for */
	}
	return 0;
}

static int open_file(struct identity *identity, const char *state_dir, struct error *err)
{
	if (mkdir(state_dir, 0700) != 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot make the state folder %s",
				       state_dir);
	if ((size_t)snprintf(identity->path, sizeof(identity->path), "%s/dispatcher", state_dir) >=
	    sizeof(identity->path))
		return error_set(err, ERROR_INPUT, "the name of the state folder is too long");
	identity->fd = open(identity->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (identity->fd < 0)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot open the state file %s",
				       identity->path);
	return 0;
}

/* Every version has the same length but for a few digits: one write, then the cut. */
static int write_state(const struct identity *identity, const struct state *state,
		       struct error *err)
{
	char text[FILE_SIZE_MAX];
	char id[UUID_TEXT_SIZE];
	char life[UUID_TEXT_SIZE];
	int length = snprintf(text, sizeof(text),
			      "id %s\nincarnation %s\npid %ld\nhome %s\nsystem %" PRId64
			      "\ntimeline %" PRId64 "\n",
			      uuid_text(state->id, id), uuid_text(state->incarnation, life),
			      (long)getpid(), state->home[0] == '\0' ? "-" : state->home,
			      state->system_id, state->timeline);

	if (pwrite(identity->fd, text, (size_t)length, 0) != length ||
	    ftruncate(identity->fd, length) != 0 || fdatasync(identity->fd) != 0)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot write the state file %s",
				       identity->path);
	return 0;
}

/* What the file says, or what a new one will: it names nobody's life yet. */
static int take_state(struct identity *identity, struct state *state, struct error *err)
{
	char home[HOME_SIZE];
	struct stat status;

	if (fstat(identity->fd, &status) != 0 ||
	    (status.st_size > 0 && read_state(identity->fd, state) != 0))
		return error_set(err, ERROR_INPUT,
				 "%s is damaged: remove it to become a new dispatcher",
				 identity->path);
	write_home(identity->fd, home);
	if (status.st_size == 0) {
		*state = (struct state){ .id = uuid_make() };
		snprintf(state->home, sizeof(state->home), "%s", home);
	}
	identity->id = state->id;
	identity->system_id = state->system_id;
	identity->timeline = state->timeline;
	if (strcmp(state->home, home) == 0)
		identity->former = state->incarnation;
	return 0;
}

static void name_machine(struct identity *identity)
{
	if (gethostname(identity->host, sizeof(identity->host)) != 0)
		identity->host[0] = '\0';
	identity->host[sizeof(identity->host) - 1] = '\0';
	read_line("/etc/machine-id", identity->machine_id, sizeof(identity->machine_id));
	if (identity->machine_id[0] == '\0')
		read_line("/proc/sys/kernel/random/boot_id", identity->machine_id,
			  sizeof(identity->machine_id));
}

/* A second process is told our pid from now on, long before there is a life to be named. The home stays the one that the
 * life was written in: a copied file stays a copy. */
int identity_open(struct identity *identity, const char *state_dir, int64_t wait_ms,
		  struct error *err)
{
	struct state state;

	memset(identity, 0, sizeof(*identity));
	if (open_file(identity, state_dir, err) != 0)
		return -1;
	if (lock_file(identity, wait_ms, err) != 0 || take_state(identity, &state, err) != 0 ||
	    write_state(identity, &state, err) != 0) {
		identity_close(identity);
		return -1;
	}
	name_machine(identity);
	return 0;
}

void identity_close(struct identity *identity)
{
	if (identity->fd > 0)
		close(identity->fd);
	identity->fd = -1;
}

int identity_save(struct identity *identity, struct uuid incarnation, int64_t timeline,
		  struct error *err)
{
	struct state state = {
		.id = identity->id,
		.incarnation = incarnation,
		.system_id = identity->system_id,
		.timeline = timeline,
	};

	if (uuid_same(identity->saved, incarnation) && identity->timeline == timeline)
		return 0;
	write_home(identity->fd, state.home);
	if (write_state(identity, &state, err) != 0)
		return -1;
	identity->saved = incarnation;
	identity->timeline = timeline;
	return 0;
}
