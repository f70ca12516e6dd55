#include "tools/chaos/stage/fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/chaos/stage/fleet_ends.h"
#include "tools/chaos/stage/fleet_files.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/server.h"

enum {
	PAUSE_MS = 50,
	END_MS = 5000,
	WORDS_MAX = 24,
	NAME_SIZE = 16,
	PIDS_SIZE = 8192,
	FRESH_PINGS = 3
};

/* What fleet_arrange was given; the lists end with NULL. */
struct arrangement {
	char **before;
	char *settings;
	char **env;
};

struct member {
	char name[NAME_SIZE];
	char namespace[NAME_SIZE];
	char *conninfo; /* NULL: the stage's */
	char *folder;
	char *log;
	pid_t pid;
	int asked;     /* the signal that is to end it, 0: none */
	bool expected; /* a fault may end it in other ways, until the fleet is whole again */
	bool settled;  /* the fleet was whole since it was started */
	struct arrangement arrangement;
};

struct fleet {
	struct stage *stage;
	int size;
	struct member *members;
};

/* --- making it ---------------------------------------------------------------------------------- */

static int begin_member(const struct stage *stage, struct member *member, int place,
			struct error *err)
{
	snprintf(member->name, sizeof(member->name), "d%d", place + 1);
	if (asprintf(&member->folder, "%s/%s", stage->scratch, member->name) < 0 ||
	    asprintf(&member->log, "%s/logs/%s.log", stage->folder, member->name) < 0)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (mkdir(member->folder, 0755) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", member->folder);
	return 0;
}

struct fleet *fleet_make(struct stage *stage, struct error *err)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));
	int size = stage->act->dispatchers;

	if (fleet != NULL)
		fleet->members = calloc((size_t)size, sizeof(*fleet->members));
	if (fleet == NULL || fleet->members == NULL) {
		free(fleet);
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	fleet->stage = stage;
	fleet->size = size;
	for (int i = 0; i < size; i++) {
		if (begin_member(stage, &fleet->members[i], i, err) != 0) {
			fleet_close(fleet);
			return NULL;
		}
	}
	return fleet;
}

int fleet_move(struct fleet *fleet, int place, const char *namespace, const char *conninfo,
	       struct error *err)
{
	struct member *member = &fleet->members[place];

	if (snprintf(member->namespace, sizeof(member->namespace), "%s", namespace) >= NAME_SIZE)
		return error_set(err, ERROR_FATAL, "the name %s is too long", namespace);
	member->conninfo = strdup(conninfo);
	return member->conninfo == NULL ? error_set(err, ERROR_RETRY, "out of memory") : 0;
}

static void free_list(char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}

static void drop_arrangement(struct arrangement *arrangement)
{
	free_list(arrangement->before);
	free_list(arrangement->env);
	free(arrangement->settings);
	*arrangement = (struct arrangement){ 0 };
}

/* Waits at most so long for its end, and writes down what it was: 1, 0: it still runs, -1. */
static int await_member(struct fleet *fleet, struct member *member, int64_t timeout_ms, int *status,
			struct error *err)
{
	int ended_as = 0;
	int ended = undo_wait(fleet->stage->undo, member->pid, timeout_ms, &ended_as, err);

	if (ended != 1)
		return ended;
	fleet_ends_note(&fleet->stage->nemesis, member->name, member->pid, ended_as,
			fleet_ends_why(member->asked, member->expected, member->settled, ended_as));
	member->pid = 0;
	member->asked = 0;
	if (status != NULL)
		*status = ended_as;
	return 1;
}

/* Twice: a second SIGTERM ends a drain. What a fault stopped is let go, for agents clean up after themselves. */
static void dismiss(struct fleet *fleet)
{
	for (int i = 0; i < fleet->size; i++) {
		fleet_signal_all(fleet, i, SIGCONT, NULL);
		fleet_signal(fleet, i, SIGTERM, NULL);
		fleet_signal(fleet, i, SIGTERM, NULL);
	}
	for (int i = 0; i < fleet->size; i++) {
		struct member *member = &fleet->members[i];

		if (member->pid == 0 || await_member(fleet, member, END_MS, NULL, NULL) != 0)
			continue;
		fleet_signal(fleet, i, SIGKILL, NULL);
		await_member(fleet, member, END_MS, NULL, NULL);
	}
}

void fleet_close(struct fleet *fleet)
{
	if (fleet == NULL)
		return;
	dismiss(fleet);
	for (int i = 0; i < fleet->size; i++) {
		struct member *member = &fleet->members[i];
		char pid[24];

		snprintf(pid, sizeof(pid), "%d", (int)member->pid);
		if (member->pid > 0)
			undo_now(fleet->stage->undo, UNDO_PROCESS, pid, NULL);
		drop_arrangement(&member->arrangement);
		free(member->conninfo);
		free(member->folder);
		free(member->log);
	}
	free(fleet->members);
	free(fleet);
}

/* --- looking at it ------------------------------------------------------------------------------ */

int fleet_size(const struct fleet *fleet)
{
	return fleet->size;
}

const char *fleet_name(const struct fleet *fleet, int place)
{
	return fleet->members[place].name;
}

const char *fleet_log(const struct fleet *fleet, int place)
{
	return fleet->members[place].log;
}

const char *fleet_folder(const struct fleet *fleet, int place)
{
	return fleet->members[place].folder;
}

pid_t fleet_pid(const struct fleet *fleet, int place)
{
	pid_t pid = fleet->members[place].pid;

	return process_lives(pid) ? pid : 0;
}

pid_t fleet_agent(const struct fleet *fleet, int place)
{
	return process_child(fleet_pid(fleet, place), "locum-agent");
}

int fleet_namespace(const struct fleet *fleet, int place, char *name, size_t size)
{
	snprintf(name, size, "%s", fleet->members[place].namespace);
	return name[0] == '\0' ? -1 : 0;
}

int fleet_incarnation(struct fleet *fleet, int place, struct uuid *incarnation, struct error *err)
{
	char pid[24];
	const char *const params[] = { pid };
	char text[UUID_TEXT_SIZE];

	snprintf(pid, sizeof(pid), "%d", (int)fleet->members[place].pid);
	if (server_look(fleet->stage->server, "fleet_incarnation", params, 1, text, sizeof(text),
			err) != 0)
		return -1;
	if (uuid_read(text, incarnation) != 0)
		return error_set(err, ERROR_RETRY, "dispatcher %s is not registered",
				 fleet_name(fleet, place));
	return 0;
}

int fleet_logged(const struct fleet *fleet, int place, const char *text)
{
	FILE *file = fopen(fleet->members[place].log, "re");
	char *line = NULL;
	size_t room = 0;
	int count = 0;

	while (file != NULL && getline(&line, &room, file) > 0)
		count += strstr(line, text) != NULL;
	free(line);
	if (file != NULL)
		fclose(file);
	return count;
}

/* --- signals ------------------------------------------------------------------------------------ */

int fleet_signal(struct fleet *fleet, int place, int number, struct error *err)
{
	pid_t pid = fleet_pid(fleet, place);

	if (pid == 0)
		return error_set(err, ERROR_FATAL, "dispatcher %s does not run",
				 fleet_name(fleet, place));
	if (number == SIGTERM || number == SIGINT || number == SIGKILL)
		fleet->members[place].asked = number;
	if (kill(pid, number) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot send signal %d to %s",
				       number, fleet_name(fleet, place));
	return 0;
}

int fleet_signal_all(struct fleet *fleet, int place, int number, struct error *err)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = process_tree(fleet_pid(fleet, place), pids, PROCESS_TREE_MAX);

	if (count == 0)
		return error_set(err, ERROR_FATAL, "dispatcher %s does not run",
				 fleet_name(fleet, place));
	for (size_t i = 0; i < count; i++)
		kill(pids[number == SIGCONT ? i : count - 1 - i], number);
	return 0;
}

void fleet_expect_end(struct fleet *fleet, int place)
{
	for (int i = 0; i < fleet->size; i++)
		if (place < 0 || place == i)
			fleet->members[i].expected = true;
}

/* --- starting and ending ------------------------------------------------------------------------ */

static char **copy_list(const char *const *list)
{
	char **copy;
	size_t count = 0;

	while (list != NULL && list[count] != NULL)
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < count; i++) {
		copy[i] = strdup(list[i]);
		if (copy[i] == NULL) {
			free_list(copy);
			return NULL;
		}
	}
	return copy;
}

static int arrange(struct arrangement *arrangement, const char *const *before, const char *settings,
		   const char *const *env, struct error *err)
{
	struct arrangement next = {
		.before = copy_list(before),
		.settings = strdup(settings == NULL ? "" : settings),
		.env = copy_list(env),
	};

	if (next.before == NULL || next.settings == NULL || next.env == NULL) {
		drop_arrangement(&next);
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	drop_arrangement(arrangement);
	*arrangement = next;
	return 0;
}

int fleet_arrange(struct fleet *fleet, int place, const char *const *before, const char *settings,
		  const char *const *env, struct error *err)
{
	for (int i = 0; i < fleet->size; i++)
		if ((place < 0 || place == i) &&
		    arrange(&fleet->members[i].arrangement, before, settings, env, err) != 0)
			return -1;
	return 0;
}

/* On a stage whose clocks can be moved each has one of its own; its other variables come behind. NULL: out of memory. */
static const char **make_env(const struct fleet *fleet, const struct member *member,
			     char preload[static PATH_MAX * 2], char file[static PATH_MAX * 2])
{
	char **own = member->arrangement.env;
	char path[PATH_MAX];
	const char **env;
	size_t count = 0;

	while (own != NULL && own[count] != NULL)
		count++;
	env = calloc(count + 3, sizeof(*env));
	if (env == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		env[i] = own[i];
	if (fleet->stage->kind != STAGE_CLOCK)
		return env;
	stage_support(fleet->stage, "skew.so", path, sizeof(path));
	snprintf(preload, PATH_MAX * 2, "LD_PRELOAD=%s", path);
	snprintf(file, PATH_MAX * 2, "SKEW_FILE=%s/clock", member->folder);
	env[count] = preload;
	env[count + 1] = file;
	return env;
}

static int spawn(struct fleet *fleet, struct member *member, const char *program,
		 const char *configuration, struct error *err)
{
	char preload[PATH_MAX * 2];
	char file[PATH_MAX * 2];
	const char *argv[WORDS_MAX + 8];
	const struct arrangement *arrangement = &member->arrangement;
	const char **env = make_env(fleet, member, preload, file);
	const struct undo_spawn terms = {
		.argv = argv,
		.env = env,
		.output = member->log,
		.namespace = member->namespace[0] == '\0' ? NULL : member->namespace,
	};
	size_t count = 0;
	int status;

	if (env == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (char **word = arrangement->before; word != NULL && *word != NULL; word++)
		if (count < WORDS_MAX)
			argv[count++] = *word;
	argv[count++] = program;
	argv[count++] = "-c";
	argv[count++] = configuration;
	argv[count++] = "-d";
	argv[count++] = member->conninfo == NULL ? stage_conninfo(fleet->stage) : member->conninfo;
	argv[count] = NULL;
	status = undo_spawn(fleet->stage->undo, &terms, &member->pid, err);
	free(env);
	return status;
}

int fleet_start(struct fleet *fleet, int place, struct error *err)
{
	struct member *member = &fleet->members[place];
	char program[PATH_MAX];
	char configuration[PATH_MAX];

	if (fleet_pid(fleet, place) != 0)
		return 0;
	if (member->pid > 0 && await_member(fleet, member, 0, NULL, err) < 0)
		return -1;
	member->pid = 0;
	member->asked = 0;
	member->settled = false;
	snprintf(program, sizeof(program), "%s/locumd", fleet->stage->programs);
	snprintf(configuration, sizeof(configuration), "%s/locumd.conf", member->folder);
	if (fleet_files_write(fleet->stage, member->folder, member->name,
			      member->arrangement.settings, err) != 0)
		return -1;
	return spawn(fleet, member, program, configuration, err);
}

int fleet_await_end(struct fleet *fleet, int place, int64_t timeout_ms, int *status,
		    struct error *err)
{
	struct member *member = &fleet->members[place];
	int ended;

	if (member->pid == 0)
		return error_set(err, ERROR_FATAL, "dispatcher %s was not started", member->name);
	ended = await_member(fleet, member, timeout_ms, status, err);
	if (ended == 0)
		return error_set(err, ERROR_RETRY,
				 "dispatcher %s does not end within %" PRId64 " ms", member->name,
				 timeout_ms);
	return ended < 0 ? -1 : 0;
}

/* --- settling ----------------------------------------------------------------------------------- */

static int start_missing(struct fleet *fleet, struct error *err)
{
	for (int i = 0; i < fleet->size; i++)
		if (fleet_start(fleet, i, err) != 0)
			return -1;
	return 0;
}

/* Their pids as an array of the database's. */
static void write_pids(const struct fleet *fleet, char text[static PIDS_SIZE])
{
	size_t used = 0;

	for (int i = 0; i < fleet->size && used < PIDS_SIZE; i++)
		used += (size_t)snprintf(text + used, PIDS_SIZE - used, "%c%d", i == 0 ? '{' : ',',
					 (int)fleet->members[i].pid);
	if (used < PIDS_SIZE)
		snprintf(text + used, PIDS_SIZE - used, "}");
}

/* Whether all are registered, ping, and take jobs, and whoever else did is known to be gone; *ready: how many. */
static bool is_whole(struct fleet *fleet, int64_t *ready, struct error *err)
{
	int64_t strangers = 0;
	char pids[PIDS_SIZE];
	char fresh_ms[24];
	const char *const params[] = { pids, fresh_ms };

	write_pids(fleet, pids);
	snprintf(fresh_ms, sizeof(fresh_ms), "%" PRId64,
		 fleet->stage->act->intervals.ping_ms * FRESH_PINGS);
	return server_run(fleet->stage->server, "fleet_ready", params, 2, ready, err) == 0 &&
	       *ready == fleet->size &&
	       server_run(fleet->stage->server, "fleet_strangers", params, 1, &strangers, err) ==
		       0 &&
	       strangers == 0;
}

static void note_settled(struct fleet *fleet)
{
	for (int i = 0; i < fleet->size; i++) {
		fleet->members[i].expected = false;
		fleet->members[i].settled = true;
	}
}

int fleet_settle(struct fleet *fleet, int64_t timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	struct error last = { 0 };
	int64_t ready = 0;

	for (;;) {
		if (start_missing(fleet, err) != 0)
			return -1;
		if (is_whole(fleet, &ready, &last)) {
			note_settled(fleet);
			return 0;
		}
		if (clock_monotonic_ms() >= deadline_ms || atomic_load(fleet->stage->stop))
			return error_set(err, ERROR_RETRY,
					 "%" PRId64 " of %d dispatchers are ready after %" PRId64
					 " ms%s%s",
					 ready, fleet->size, timeout_ms,
					 last.text[0] == '\0' ? "" : ": ", last.text);
		poll(NULL, 0, PAUSE_MS);
	}
}
