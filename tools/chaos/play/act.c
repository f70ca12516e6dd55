#include "tools/chaos/play/act.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/history/recorder.h"
#include "tools/chaos/history/seal.h"
#include "tools/chaos/judge/checker.h"
#include "tools/chaos/play/load.h"
#include "tools/chaos/play/nemesis.h"
#include "tools/chaos/play/rehearsal.h"
#include "tools/chaos/stage/fleet_ends.h"
#include "tools/chaos/stage/stage.h"

enum { LOOK_MS = 50, STALL_MS = 60000, RESOLVE_MS = 60000, DRAIN_MS = 120000 };

static void tell(struct act *act, const struct load *load, const char *what, int done, int all)
{
	act->progress.what = what;
	act->progress.done = done;
	act->progress.all = all;
	act->progress.jobs = load == NULL ? 0 : load_acknowledged(load);
	act->progress.left_ms = forecast_left_ms(act->forecast);
	if (act->run->tell != NULL)
		act->run->tell(act->run->to, &act->progress);
}

/* --- what was asked for ------------------------------------------------------------------------- */

/* As the server says it: 15.8; "" when it does not. */
static const char *server_version(const struct stage *stage)
{
	PGconn *conn = stage->server == NULL ? NULL : server_connection(stage->server, NULL);
	const char *version = conn == NULL ? NULL : PQparameterStatus(conn, "server_version");

	return version == NULL ? "" : version;
}

static int write_settings(const struct act *act, const struct stage *stage, struct error *err)
{
	const struct plan_act *plan = act->plan;
	const struct {
		const char *name;
		int64_t value;
	} rows[] = {
		{ "jobs", plan->jobs },
		{ "dispatchers", plan->dispatchers },
		{ "ping_us", plan->intervals.ping_ms * 1000 },
		{ "death_us", plan->intervals.death_ms * 1000 },
		{ "grace_us", plan->intervals.grace_ms * 1000 },
		{ "margin_us", plan->intervals.margin_ms * 1000 },
		{ "scan_us", plan->intervals.scan_ms * 1000 },
		{ "poll_us", plan->intervals.poll_ms * 1000 },
		{ "began_us", history_now_us() },
		{ "began_real_us", clock_wall_ms() * 1000 },
		{ "ordered", stage->ordered },
		{ "played", stage->folder != NULL },
		{ "clients", plan->load.clients + 1 }, /* and the one that faults use */
	};
	char *path = NULL;
	FILE *file;

	if (asprintf(&path, "%s/act", act->folder) < 0)
		return error_set(err, ERROR_RETRY, "out of memory");
	file = fopen(path, "we");
	if (file == NULL) {
		error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
		free(path);
		return -1;
	}
	free(path);
	fprintf(file, "name=%s\nstage=%s\nseed=%" PRIu64 "\nserver=%s\n", plan->name,
		fault_stage_name(plan->stage), plan->seed, server_version(stage));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(file, "%s=%" PRId64 "\n", rows[i].name, rows[i].value);
	if (fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s/act", act->folder);
	return 0;
}

/* --- the play ----------------------------------------------------------------------------------- */

struct showing {
	struct act *act;
	const struct stage *stage;
};

static void show_bout(void *to, int done, int all, const char *what)
{
	struct showing *showing = to;

	forecast_bout(showing->act->forecast, done);
	tell(showing->act, showing->stage->load, what, done, all);
}

/* The faults may be over sooner than the jobs are. */
static void await_jobs(struct act *act, const struct stage *stage)
{
	int64_t acknowledged = load_acknowledged(stage->load);
	int64_t deadline_ms = clock_monotonic_ms() + STALL_MS;

	while (acknowledged < act->plan->jobs && !atomic_load(&act->run->stop) &&
	       clock_monotonic_ms() < deadline_ms) {
		int64_t now = load_acknowledged(stage->load);

		if (now > acknowledged)
			deadline_ms = clock_monotonic_ms() + STALL_MS;
		acknowledged = now;
		tell(act, stage->load, "the load goes on", 0, 0);
		poll(NULL, 0, LOOK_MS);
	}
}

/* What no act has, for the database is not the harness's own. */
static void note_skips(struct stage *stage)
{
	const struct plan *plan = stage->plan;

	for (size_t i = 0; i < plan->skip_count; i++)
		history_write(&stage->nemesis, "skip %s %s", plan->skips[i].fault->name,
			      plan->skips[i].why);
}

/* Runs that the user's handler does not end are no fault of locum. */
static int find_stuck(const struct stage *stage, struct error *err)
{
	int64_t stuck = 0;

	if (stage->plan->user_handler == NULL ||
	    server_run(stage->server, "user_stuck", NULL, 0, &stuck, NULL) != 0 || stuck == 0)
		return 0;
	return error_set(err, ERROR_RETRY,
			 "%" PRId64 " runs of the handler %s do not end; it may hang", stuck,
			 stage->plan->user_handler);
}

static int drain(struct act *act, struct stage *stage, struct error *err)
{
	int64_t left = 0;

	tell(act, stage->load, "waiting for the last job", 0, 0);
	load_stop(stage->load, RESOLVE_MS);
	if (load_drain(stage->load, DRAIN_MS, stage->stop, &left, err) != 0)
		return -1;
	if (left > 0 && atomic_load(stage->stop))
		return error_set(err, ERROR_RETRY,
				 "the run was cut off before the last job had ended");
	if (left > 0 && find_stuck(stage, err) != 0)
		return -1;
	if (left == 0)
		history_write(&stage->nemesis, "drained %" PRId64, load_acknowledged(stage->load));
	else
		history_write(&stage->nemesis, "undrained %" PRId64, left);
	fleet_ends_of_agents(stage);
	return 0;
}

static int export(struct act *act, struct stage *stage, struct error *err)
{
	PGconn *conn;

	tell(act, stage->load, "collecting what was recorded", 0, 0);
	conn = server_connection(stage->server, err);
	if (conn == NULL)
		return -1;
	history_write(&stage->nemesis, "end");
	return recorder_export(conn, stage->ordered, act->folder, err);
}

static int play(struct act *act, struct stage *stage, struct error *err)
{
	struct showing showing = { act, stage };
	int status;

	tell(act, NULL, "raising the stage", 0, 0);
	status = stage_raise(stage, act->plan->stage, err);
	if (write_settings(act, stage, status == 0 ? err : NULL) != 0 || status != 0)
		return -1;
	if (rehearsal_play(stage, err) != 0 || load_start(stage, err) != 0)
		return -1;
	if (nemesis_play(stage, &act->run->stop, show_bout, &showing, err) != 0)
		return -1;
	forecast_bouts_over(act->forecast);
	if (act->progress.act_number == 1)
		note_skips(stage);
	await_jobs(act, stage);
	return drain(act, stage, err) != 0 ? -1 : export(act, stage, err);
}

/* --- acts that need not be played --------------------------------------------------------------- */

static bool is_possible(const struct fault *fault, struct error *err)
{
	return fault == NULL || fault->possible == NULL || fault->possible(err) == 0;
}

static int skip_all(struct act *act, struct verdict *verdict, struct error *err)
{
	struct history nemesis;

	if (history_open(&nemesis, act->folder, "nemesis.log", err) != 0)
		return -1;
	history_write(&nemesis, "begin %" PRIu64, act->plan->seed);
	for (size_t i = 0; i < act->plan->bout_count; i++) {
		const struct fault *fault = act->plan->bouts[i].first;
		struct error why = { .kind = ERROR_NONE };

		if (is_possible(fault, &why))
			continue;
		history_write(&nemesis, "skip %s %s", fault->name, why.text);
		verdict->skipped++;
	}
	history_write(&nemesis, "end");
	history_close(&nemesis);
	return 0;
}

/* ------------------------------------------------------------------------------------------------ */

static void make_unknown(struct verdict *verdict, const struct error *err)
{
	verdict->valid = VERDICT_UNKNOWN;
	snprintf(verdict->why, sizeof(verdict->why), "%.*s", VERDICT_TEXT - 1, err->text);
}

/* What the first SIGINT cuts off had not its turn. */
static int judge(const struct act *act, struct verdict *verdict, struct error *err)
{
	const struct checker_terms terms = {
		.act = act->plan,
		.seed = act->plan->seed,
		.whole = !act->run->plan->endless && !atomic_load(&act->run->stop),
		.lone = plan_is_lone(act->run->plan),
	};

	return checker_judge(act->folder, &terms, verdict, err);
}

static int play_on_stage(struct act *act, struct verdict *verdict)
{
	struct stage stage = { .plan = act->run->plan,
			       .act = act->plan,
			       .undo = act->undo,
			       .programs = act->run->programs,
			       .folder = strdup(act->folder),
			       .stop = &act->run->hurry };
	struct error err = { .kind = ERROR_NONE };
	struct error strike = { .kind = ERROR_NONE };
	int status = play(act, &stage, &err);

	load_free(stage.load);
	tell(act, NULL, "striking the stage", 0, 0);
	if (stage_strike(&stage, &strike) != 0 && status == 0) {
		err = strike;
		status = -1;
	}
	if (status == 0)
		status = seal_files(act->folder, &err);
	free(stage.folder);
	tell(act, NULL, "judging", 0, 0);
	if (status == 0)
		status = judge(act, verdict, &err);
	if (status != 0)
		make_unknown(verdict, &err);
	return 0;
}

int act_play(struct act *act, struct verdict *verdict, struct error *err)
{
	*verdict = (struct verdict){ .valid = VERDICT_VALID };
	if (!plan_is_possible(act->plan)) {
		struct stage none = { .ordered = false };

		if (write_settings(act, &none, err) != 0 || skip_all(act, verdict, err) != 0)
			return -1;
	} else if (play_on_stage(act, verdict) != 0) {
		return -1;
	}
	return verdict_write(verdict, act->folder, err);
}
