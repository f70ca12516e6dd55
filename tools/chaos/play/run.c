#include "tools/chaos/play/run.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/version.h"
#include "tools/chaos/plan/chance.h"
#include "tools/chaos/play/act.h"
#include "tools/chaos/play/build.h"
#include "tools/chaos/report/report.h"
#include "tools/chaos/undo/undo.h"

/* What exactly was tested. */
static void write_builds(FILE *file, const char *folder)
{
	static const char *const PROGRAMS[] = { "locumd", "locum-agent", "locum-host",
						"locum-chaos" };
	char build[BUILD_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++)
		fprintf(file, "build_%s=%s\n", PROGRAMS[i], build_of(folder, PROGRAMS[i], build));
#ifdef LOCUM_PROBES
	fputs("probes=1\n", file);
#endif
}

/* Those that were named, for there is no scenario to tell. */
static void write_faults(FILE *file, const struct plan *plan)
{
	const char *before = "faults=";

	for (size_t i = 0; i < plan->act_count; i++)
		for (size_t j = 0; j < plan->acts[i].bout_count; j++) {
			fprintf(file, "%s%s", before, plan->acts[i].bouts[j].first->name);
			before = " ";
		}
	fputc('\n', file);
}

static void write_plan(FILE *file, const struct plan *plan)
{
	struct utsname machine;

	fprintf(file, "suite=%s\nseed=%" PRIu64 "\nversion=%s\n", plan->name, plan->seed,
		LOCUM_VERSION);
	if (uname(&machine) == 0)
		fprintf(file, "machine=%s %s %s\n", machine.sysname, machine.release,
			machine.machine);
	fprintf(file, "processors=%ld\nbegan_real_us=%" PRId64 "\n", sysconf(_SC_NPROCESSORS_ONLN),
		clock_wall_ms() * 1000);
	fprintf(file, "acts=%zu\nendless=%d\nhandler=%s\nscratch=%d\n", plan->act_count,
		plan->endless, plan->user_handler == NULL ? "" : plan->user_handler,
		plan->conninfo != NULL);
	if (plan->text == NULL)
		write_faults(file, plan);
}

/* What the run was asked to play, to play it again. */
static int write_scenario(const struct run *run, struct error *err)
{
	char *path = NULL;
	FILE *file;

	if (run->plan->text == NULL)
		return 0;
	if (asprintf(&path, "%s/scenario.conf", run->folder) < 0)
		return error_set(err, ERROR_RETRY, "out of memory");
	file = fopen(path, "we");
	free(path);
	if (file != NULL)
		fputs(run->plan->text, file);
	if (file == NULL || fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s/scenario.conf",
				       run->folder);
	return 0;
}

static int write_run(const struct run *run, struct error *err)
{
	char *path = NULL;
	FILE *file;

	if (asprintf(&path, "%s/run", run->folder) < 0)
		return error_set(err, ERROR_RETRY, "out of memory");
	file = fopen(path, "we");
	free(path);
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s/run", run->folder);
	write_plan(file, run->plan);
	write_builds(file, run->programs);
	if (fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s/run", run->folder);
	return 0;
}

/* NN-ACT, the caller's to free. */
static char *make_folder(const struct run *run, const char *name, int number, struct error *err)
{
	char *folder = NULL;

	if (asprintf(&folder, "%s/%02d-%s", run->folder, number, name) < 0) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	if (mkdir(folder, 0755) == 0)
		return folder;
	error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", folder);
	free(folder);
	return NULL;
}

/* A run without an end keeps what it can show of the acts that were valid, not their histories. */
static void prune(const char *folder)
{
	static const char *const NAMES[] = { "client-*", "worker-*", "effect", "database",
					     "final" };
	char *pattern;

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		glob_t found = { 0 };

		if (asprintf(&pattern, "%s/%s.log", folder, NAMES[i]) < 0)
			return;
		if (glob(pattern, 0, NULL, &found) == 0)
			for (size_t j = 0; j < found.gl_pathc; j++)
				unlink(found.gl_pathv[j]);
		globfree(&found);
		free(pattern);
	}
}

static int play_act(struct run *run, struct undo *undo, struct forecast *forecast, int number,
		    struct verdict *whole, struct error *err)
{
	const struct plan *plan = run->plan;
	const size_t place = (size_t)(number - 1) % plan->act_count;
	struct plan_act planned = plan->acts[place];
	char *folder = make_folder(run, planned.name, number, err);
	struct act act = {
		.run = run,
		.undo = undo,
		.plan = &planned,
		.folder = folder,
		.forecast = forecast,
		.progress = { .act = planned.name,
			      .act_number = number,
			      .acts = plan->endless ? 0 : (int)plan->act_count },
	};
	struct verdict *verdict = malloc(sizeof(*verdict)); /* large */
	int status = -1;

	forecast_act(forecast, place);
	planned.seed = chance_part(plan->seed, (uint64_t)number);
	if (verdict == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	else if (folder != NULL)
		status = act_play(&act, verdict, err);
	if (status == 0)
		verdict_add(whole, verdict);
	if (status == 0 && plan->endless && verdict->valid == VERDICT_VALID)
		prune(folder);
	free(verdict);
	free(folder);
	return status;
}

/* Whether another act follows the `number` that were played. */
static bool goes_on(const struct run *run, int number, int64_t began_ms)
{
	if (atomic_load(&run->stop))
		return false;
	if (!run->plan->endless)
		return (size_t)number < run->plan->act_count;
	return run->for_ms == 0 || clock_monotonic_ms() - began_ms < run->for_ms;
}

static void say_nothing_injected(struct verdict *verdict)
{
	verdict->valid = VERDICT_UNKNOWN;
	snprintf(verdict->why, sizeof(verdict->why), "no fault was injected");
}

/* What was not played is not known. */
static void judge_played(const struct run *run, int played, struct verdict *verdict)
{
	if (verdict->valid != VERDICT_VALID)
		return;
	if (verdict->fault_count == 0) {
		say_nothing_injected(verdict);
	} else if (atomic_load(&run->stop) && !run->plan->endless) {
		verdict->valid = VERDICT_UNKNOWN;
		snprintf(verdict->why, sizeof(verdict->why), "the run was cut off in act %d of %zu",
			 played, run->plan->act_count);
	}
}

/* For whoever judges it anew. */
static int note_cut_off(const struct run *run, int act, struct error *err)
{
	char *path = NULL;
	FILE *file;

	if (asprintf(&path, "%s/run", run->folder) < 0)
		return error_set(err, ERROR_RETRY, "out of memory");
	file = fopen(path, "ae");
	free(path);
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s/run", run->folder);
	fprintf(file, "cut_off=%d\n", act);
	if (fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s/run", run->folder);
	return 0;
}

static int play_all(struct run *run, struct undo *undo, int *number, struct verdict *verdict,
		    struct error *err)
{
	const int64_t began_ms = clock_monotonic_ms();
	struct forecast forecast;
	int status = 0;

	forecast_init(&forecast, run->plan, run->for_ms);
	while (status == 0 && goes_on(run, *number, began_ms))
		status = play_act(run, undo, &forecast, ++*number, verdict, err);
	forecast_fini(&forecast);
	return status;
}

static int play_acts(struct run *run, struct undo *undo, struct verdict *verdict, struct error *err)
{
	int number = 0;

	if (play_all(run, undo, &number, verdict, err) != 0)
		return -1;
	judge_played(run, number, verdict);
	if (atomic_load(&run->stop) && !run->plan->endless && note_cut_off(run, number, err) != 0)
		return -1;
	if (verdict_write(verdict, run->folder, err) != 0)
		return -1;
	return report_html(run->folder, err);
}

int run_play(struct run *run, struct verdict *verdict, struct error *err)
{
	struct error late = { .kind = ERROR_NONE };
	struct error left;
	struct undo *undo;
	int status;

	*verdict = (struct verdict){ .valid = VERDICT_VALID };
	if (write_run(run, err) != 0 || write_scenario(run, err) != 0)
		return -1;
	undo = undo_open(&run->cleaned, &left, err);
	if (undo == NULL)
		return -1;
	if (left.kind != ERROR_NONE && run->warn != NULL)
		run->warn(left.text);
	status = play_acts(run, undo, verdict, err);
	if (undo_close(undo, &late) != 0 && status == 0) {
		*err = late;
		return -1;
	}
	return status;
}
