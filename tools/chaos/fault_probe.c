#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/chaos/fault.h"
#include "tools/chaos/process.h"
#include "tools/chaos/stage.h"

enum { SETTLE_MS = 20000, PATIENCE_DEATHS = 10 };

/* What makes somebody get to a probe. */
enum provocation {
	PROVOKE_NOTHING, /* the load does */
	PROVOKE_START,   /* one is killed and starts again */
	PROVOKE_DEATH,   /* one is killed and stays away until it is declared dead */
	PROVOKE_RETURN,  /* one is stopped for longer than its death interval, and goes on */
};

struct probe {
	const char *name;
	enum provocation provocation;
};

/* Those that no load gets to. */
static const struct probe PROVOKED[] = {
	{ "registered", PROVOKE_START },
	{ "death_declared", PROVOKE_DEATH },
	{ "reclaimed_in_part", PROVOKE_DEATH },
	{ "life_ended", PROVOKE_RETURN },
};

/* The probe of a fault: "probe-NAME". */
static const char *probe_name(const struct bout *bout)
{
	return strchr(bout->fault->name, '-') + 1;
}

static enum provocation provocation_of(const char *name)
{
	for (size_t i = 0; i < sizeof(PROVOKED) / sizeof(PROVOKED[0]); i++)
		if (strcmp(PROVOKED[i].name, name) == 0)
			return PROVOKED[i].provocation;
	return PROVOKE_NOTHING;
}

static int possible(struct error *err)
{
#ifdef LOCUM_PROBES
	(void)err;
	return 0;
#else
	return error_set(err, ERROR_INPUT,
			 "only builds for tests have probes: build with "
			 "CPPFLAGS=-DLOCUM_PROBES");
#endif
}

/* --- firing ------------------------------------------------------------------------------------- */

/* The process that took the order, from the file's new name, or 0. */
static pid_t fired_by(const struct bout *bout)
{
	const char *name = probe_name(bout);
	size_t length = strlen(name);
	char path[PATH_MAX];
	DIR *folder = opendir(stage_probes(bout->stage, path, sizeof(path)));
	struct dirent *entry;
	pid_t pid = 0;

	while (folder != NULL && pid == 0 && (entry = readdir(folder)) != NULL)
		if (strncmp(entry->d_name, name, length) == 0 && entry->d_name[length] == '.')
			pid = (pid_t)strtol(entry->d_name + length + 1, NULL, 10);
	if (folder != NULL)
		closedir(folder);
	return pid;
}

static bool has_fired(struct bout *bout)
{
	return fired_by(bout) > 0;
}

/* --- arming ------------------------------------------------------------------------------------- */

static void path_of(const struct bout *bout, const char *suffix, char path[static PATH_MAX])
{
	char folder[PATH_MAX / 2];

	stage_probes(bout->stage, folder, sizeof(folder));
	snprintf(path, PATH_MAX, "%s/%s%s", folder, probe_name(bout), suffix);
}

/* Under another name first: whoever finds it finds it whole. */
static int arm(const struct bout *bout, struct error *err)
{
	char unready[PATH_MAX];
	char armed[PATH_MAX];
	FILE *file;

	path_of(bout, ".unready", unready);
	path_of(bout, "", armed);
	file = fopen(unready, "we");
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", unready);
	fputs("kill", file);
	if (fclose(file) != 0 || chmod(unready, 0644) != 0 || rename(unready, armed) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot arm %s", armed);
	return 0;
}

static void disarm(const struct bout *bout)
{
	char path[PATH_MAX];
	char suffix[16];

	path_of(bout, "", path);
	unlink(path);
	path_of(bout, ".unready", path);
	unlink(path);
	snprintf(suffix, sizeof(suffix), ".%d", (int)fired_by(bout));
	path_of(bout, suffix, path);
	unlink(path);
}

/* --- the harm ----------------------------------------------------------------------------------- */

static int64_t patience_ms(const struct bout *bout)
{
	return PATIENCE_DEATHS * bout->stage->act->intervals.death_ms;
}

static int provoke(struct bout *bout, struct error *err)
{
	struct fleet *fleet = bout->stage->fleet;
	int status;

	switch (provocation_of(probe_name(bout))) {
	case PROVOKE_NOTHING:
		return 0;
	case PROVOKE_START:
		if (fleet_signal(fleet, bout->target, SIGKILL, err) != 0 ||
		    fleet_await_end(fleet, bout->target, patience_ms(bout), &status, err) != 0)
			return -1;
		return fleet_start(fleet, bout->target, err);
	case PROVOKE_DEATH:
		return fleet_signal(fleet, bout->target, SIGKILL, err);
	case PROVOKE_RETURN:
		return fleet_signal(fleet, bout->target, SIGSTOP, err);
	}
	return 0;
}

static int inject(struct bout *bout, struct error *err)
{
	if (arm(bout, err) != 0 || provoke(bout, err) != 0)
		return -1;
	if (provocation_of(probe_name(bout)) == PROVOKE_RETURN)
		return 0; /* it gets there when it goes on */
	return bout_await(bout, has_fired, patience_ms(bout), "the probe fires", err);
}

static int heal(struct bout *bout, struct error *err)
{
	int status = 0;

	if (provocation_of(probe_name(bout)) == PROVOKE_RETURN) {
		status = fleet_signal(bout->stage->fleet, bout->target, SIGCONT, err);
		if (status == 0)
			status = bout_await(bout, has_fired, SETTLE_MS, "the probe fires", err);
	}
	if (status == 0 && has_fired(bout) && process_await_end(fired_by(bout), SETTLE_MS))
		bout_witness(bout, "process %d took the order at \"%s\" and is gone",
			     (int)fired_by(bout), probe_name(bout));
	disarm(bout);
	return status;
}

#define PROBE_POINT(word, program, text)                                                           \
	{                                                                                          \
		.row = 2,                                                                          \
		.name = "probe-" #word,                                                            \
		.stage = STAGE_PLAIN,                                                              \
		.demands = FAULT_NO_OVERLAP,                                                       \
		.what = "kills " program " when " text,                                            \
		.tool = "a probe of a test build",                                                 \
		.witness = "the process took the order away, and is gone",                         \
		.heals = "it is started again",                                                    \
		.pass = "no run of a job overlaps another",                                        \
		.possible = possible,                                                              \
		.inject = inject,                                                                  \
		.heal = heal,                                                                      \
	},

const struct fault fault_probe[] = {
#include "base/probes.def"
	{ 0 },
};
