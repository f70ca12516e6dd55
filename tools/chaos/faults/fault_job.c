/* Jobs that crash, poison, race, or are no jobs any more, and people who meddle: rows 61, 66, 74, 75, 78. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/play/load.h"
#include "tools/chaos/stage/fleet.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage.h"

enum { FATE_SIZE = 256, ID_SIZE = 24, JOBS_MAX = 64, END_MS = 60000 };

/* The jobs of a bout. */
struct jobs {
	int64_t ids[JOBS_MAX];
	char fates[JOBS_MAX][FATE_SIZE];
	int count;
	int losses;
	pid_t runner; /* of the first job, the last time */
	int64_t stopped_us;
};

static struct jobs *take_jobs(struct bout *bout, struct error *err)
{
	if (bout->own == NULL)
		bout->own = calloc(1, sizeof(struct jobs));
	if (bout->own == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	return bout->own;
}

/* Its state, a space, and its error. */
static int look_at_fate(struct bout *bout, int64_t job, char fate[static FATE_SIZE],
			struct error *err)
{
	char id[ID_SIZE];
	const char *params[] = { id };

	snprintf(id, sizeof(id), "%" PRId64, job);
	return server_look(bout->stage->server, "job_fate", params, 1, fate, FATE_SIZE, err);
}

static bool is_terminal(const char *fate)
{
	static const char *const WORDS[] = { "completed ", "failed ", "cancelled ", "expired " };

	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if (strncmp(fate, WORDS[i], strlen(WORDS[i])) == 0)
			return true;
	return false;
}

/* Of all jobs of the bout. */
static bool have_ended(struct bout *bout)
{
	struct jobs *jobs = bout->own;
	struct error err;

	for (int i = 0; i < jobs->count; i++)
		if (!is_terminal(jobs->fates[i]) &&
		    (look_at_fate(bout, jobs->ids[i], jobs->fates[i], &err) != 0 ||
		     !is_terminal(jobs->fates[i])))
			return false;
	return true;
}

/* --- 61: job-payload-corrupt -------------------------------------------------------------------- */

/* Hexadecimal. */
static const char *const GARBAGE[] = {
	"",                 /* nothing at all */
	"00",               /* NUL */
	"7b2261223a00317d", /* a NUL in an object */
	"fffe80c0",         /* no UTF-8 */
	"22c32822",         /* a string that is no UTF-8 */
	"7b2261223a",       /* an object that ends too soon */
	"5d7d0a7b5b",       /* brackets the wrong way round, and a line break */
	"22225c75303030300a227d",
};
enum { GARBAGE_COUNT = sizeof(GARBAGE) / sizeof(GARBAGE[0]) };

static int corrupt_one(struct bout *bout, const char *handler, const char *garbage,
		       int64_t *corrupted, struct error *err)
{
	struct server *server = bout->stage->server;
	struct jobs *jobs = bout->own;
	const char *later[] = { handler };
	char id[ID_SIZE];
	const char *params[] = { id, garbage };
	int64_t job;

	if (server_run(server, "job_later", later, 1, &job, err) != 0)
		return -1;
	load_adopt(bout->stage->load, job);
	jobs->ids[jobs->count++] = job;
	snprintf(id, sizeof(id), "%" PRId64, job);
	return server_run(server, "payload_corrupt", params, 2, corrupted, err);
}

static int inject_garbage(struct bout *bout, struct error *err)
{
	static const char *const HANDLERS[] = { "plugin", "service", "command" };
	int64_t corrupted = 0;
	int64_t one;

	if (take_jobs(bout, err) == NULL ||
	    server_script(bout->stage->server, "payload_cast", err) != 0)
		return -1;
	for (size_t h = 0; h < sizeof(HANDLERS) / sizeof(HANDLERS[0]); h++) {
		for (int i = 0; i < GARBAGE_COUNT; i++) {
			if (corrupt_one(bout, HANDLERS[h], GARBAGE[i], &one, err) != 0)
				return -1;
			corrupted += one;
		}
	}
	if (corrupted > 0)
		bout_witness(bout, "%" PRId64 " jobs have a payload that is no JSON", corrupted);
	return bout_await(bout, have_ended, END_MS, "the end of jobs with garbage for payload",
			  err);
}

/* --- 66: admin-meddles -------------------------------------------------------------------------- */

enum { CANCELS = 20, RETRIES = 5, MEDDLE_MS = 8000 };

static int meddle(struct bout *bout, int *cancels, int *retries, struct error *err)
{
	struct stage *stage = bout->stage;
	int64_t again = 0;
	int64_t job = 0;

	if (server_run(stage->server, "job_claimed", NULL, 0, &job, err) != 0)
		return -1;
	if (job > 0 && load_cancel(stage->load, job))
		++*cancels;
	if (*retries >= RETRIES)
		return 0;
	if (server_run(stage->server, "job_ended", NULL, 0, &job, err) != 0 ||
	    (job > 0 && load_retry(stage->load, job, &again, err) != 0))
		return -1;
	*retries += again > 0;
	return 0;
}

static int inject_meddling(struct bout *bout, struct error *err)
{
	const int64_t until_ms = clock_monotonic_ms() + MEDDLE_MS;
	int cancels = 0;
	int retries = 0;

	while ((cancels < CANCELS || retries < RETRIES) && clock_monotonic_ms() < until_ms &&
	       !atomic_load(bout->stage->stop))
		if (meddle(bout, &cancels, &retries, err) != 0)
			return -1;
	if (cancels > 0 && retries > 0)
		bout_witness(bout, "%d claimed jobs were cancelled, %d ended ones retried", cancels,
			     retries);
	return 0;
}

/* --- 74: job-crashes ---------------------------------------------------------------------------- */

static const struct {
	const char *handler;
	const char *payload;
	const char *reason;
} CRASHES[] = {
	{ "command", "{\"fail\":\"exit 65\"}", "exit code 65" },
	{ "command", "{\"fail\":\"exit 3\"}", "exit code 3" },
	{ "command", "{\"fail\":\"segfault\"}", "killed by signal 11" },
	{ "command", "{\"fail\":\"signal 15\"}", "killed by signal 15" },
	{ "command", "{\"fail\":\"signal 9\"}", "killed by signal 9" },
	{ "service", "{\"fail\":\"segfault\"}", "killed by signal 11" },
	{ "plugin", "{\"fail\":\"segfault\"}", "killed by signal 11" },
};
enum { CRASH_COUNT = sizeof(CRASHES) / sizeof(CRASHES[0]) };

static int inject_crashes(struct bout *bout, struct error *err)
{
	struct jobs *jobs = take_jobs(bout, err);

	for (int i = 0; jobs != NULL && i < CRASH_COUNT; i++, jobs->count++)
		if (load_submit_as(bout->stage->load, CRASHES[i].handler, CRASHES[i].payload,
				   "{\"max_attempts\":1}", &jobs->ids[i], err) != 0)
			return -1;
	if (jobs == NULL ||
	    bout_await(bout, have_ended, END_MS, "the end of jobs that crash", err) != 0)
		return -1;
	bout_witness(bout, "%d jobs crashed: %s: %s", jobs->count, CRASHES[2].handler,
		     jobs->fates[2]);
	return 0;
}

/* The other of a pair may end one of them otherwise. */
static int judge_crashes(struct bout *bout, struct error *err)
{
	const struct jobs *jobs = bout->own;

	for (int i = 0; i < jobs->count && !bout->paired; i++) {
		if (strncmp(jobs->fates[i], "failed ", 7) == 0 &&
		    strstr(jobs->fates[i], CRASHES[i].reason) != NULL)
			continue;
		bout_broken(bout, "%s %s: %s", CRASHES[i].handler, CRASHES[i].payload,
			    jobs->fates[i]);
		return error_set(err, ERROR_FATAL, "a crash has another reason stored");
	}
	return 0;
}

/* --- 75: job-kills-agent ------------------------------------------------------------------------ */

enum { POISON_MS = 180000 };

/* How often the effect log says that the job began; *last gets the process of the last time. */
static int count_begun(const struct stage *stage, int64_t job, pid_t *last)
{
	struct error err;
	struct history_reader *reader = history_reader_open(stage->folder, "effect.log", &err);
	char **words;
	size_t count;
	int64_t at;
	int begun = 0;

	while (reader != NULL && history_reader_next(reader, &at, &words, &count, &err) > 0) {
		if (count < 5 || strcmp(words[0], "begin") != 0 ||
		    strtoll(words[1], NULL, 10) != job)
			continue;
		*last = (pid_t)strtol(words[4], NULL, 10);
		begun++;
	}
	history_reader_close(reader);
	return begun;
}

/* It runs once more, or has ended. */
static bool bites(struct bout *bout)
{
	struct jobs *jobs = bout->own;

	return count_begun(bout->stage, jobs->ids[0], &jobs->runner) > jobs->losses ||
	       have_ended(bout);
}

/* What a handler does that kills its parent, of another user's though it be. */
static void kill_its_agent(struct bout *bout)
{
	struct jobs *jobs = bout->own;
	pid_t agent = process_parent(jobs->runner, "locum-agent");

	if (agent > 0 && kill(agent, SIGKILL) == 0)
		jobs->losses++;
}

static int inject_poison(struct bout *bout, struct error *err)
{
	struct jobs *jobs = take_jobs(bout, err);
	const int64_t until_ms = clock_monotonic_ms() + POISON_MS;

	if (jobs == NULL || load_submit(bout->stage->load, "command", "{\"fail\":\"hang\"}",
					&jobs->ids[0], err) != 0)
		return -1;
	jobs->count = 1;
	while (!have_ended(bout) && jobs->losses <= LIMIT_INTERRUPTIONS + 1) {
		if (clock_monotonic_ms() > until_ms)
			return error_set(err, ERROR_RETRY, "the poisonous job goes on and on");
		if (bout_await(bout, bites, END_MS, "another run of a poisonous job", err) != 0)
			return -1;
		if (!is_terminal(jobs->fates[0]))
			kill_its_agent(bout);
	}
	if (jobs->losses > 0)
		bout_witness(bout, "%d agents were killed by one job: %s", jobs->losses,
			     jobs->fates[0]);
	return 0;
}

/* A poisonous job that was cut off is still there, and hangs. */
static int heal_poison(struct bout *bout, struct error *err)
{
	const struct jobs *jobs = bout->own;

	(void)err;
	if (jobs != NULL && jobs->count == 1 && !is_terminal(jobs->fates[0]))
		load_cancel(bout->stage->load, jobs->ids[0]);
	return 0;
}

static int judge_poison(struct bout *bout, struct error *err)
{
	const struct jobs *jobs = bout->own;

	if (jobs->losses <= LIMIT_INTERRUPTIONS + 1 &&
	    (strstr(jobs->fates[0], "interrupted too often") != NULL ||
	     (bout->paired && is_terminal(jobs->fates[0]))))
		return 0;
	bout_broken(bout, "%d agents were lost, and the job: %s", jobs->losses, jobs->fates[0]);
	return error_set(err, ERROR_FATAL, "a poisonous job was not put away");
}

/* --- 78: job-ends-at-fence ---------------------------------------------------------------------- */

enum { RACERS = 48, SPREAD_MS = 400, NEAR_US = 100000 };

static bool has_begun_there(struct bout *bout)
{
	const struct jobs *jobs = bout->own;
	pid_t pid = fleet_pid(bout->stage->fleet, bout->target);
	struct error err;

	for (int i = 0; i < jobs->count; i++) {
		char id[ID_SIZE];
		const char *params[] = { id };
		int64_t claimer = 0;

		snprintf(id, sizeof(id), "%" PRId64, jobs->ids[i]);
		if (server_run(bout->stage->server, "job_claimer", params, 1, &claimer, &err) ==
			    0 &&
		    claimer == pid)
			return true;
	}
	return false;
}

static int inject_race(struct bout *bout, struct error *err)
{
	static const char *const HANDLERS[] = { "plugin", "service", "command" };
	const struct plan_intervals *of = &bout->stage->act->intervals;
	const int64_t fence_ms = of->death_ms - of->margin_ms;
	struct jobs *jobs = take_jobs(bout, err);

	for (int i = 0; jobs != NULL && i < RACERS; i++, jobs->count++) {
		int64_t work_ms = fence_ms - SPREAD_MS + bout_draw(bout, SPREAD_MS + SPREAD_MS / 4);
		char payload[FATE_SIZE];

		snprintf(payload, sizeof(payload), "{\"work_ms\":%" PRId64 "}",
			 work_ms < 1 ? 1 : work_ms);
		if (load_submit(bout->stage->load, HANDLERS[i % 3], payload, &jobs->ids[i], err) !=
		    0)
			return -1;
	}
	if (jobs == NULL ||
	    bout_await(bout, has_begun_there, END_MS, "a claim of a racer", err) != 0)
		return -1;
	jobs->stopped_us = history_now_us();
	return fleet_signal(bout->stage->fleet, bout->target, SIGSTOP, err);
}

static bool is_racer(const struct jobs *jobs, const char *id)
{
	for (int i = 0; i < jobs->count; i++)
		if (jobs->ids[i] == strtoll(id, NULL, 10))
			return true;
	return false;
}

/* Runs of the racers that ended, by themselves, near the fence of the stopped dispatcher. */
static int count_near(const struct bout *bout)
{
	const struct plan_intervals *of = &bout->stage->act->intervals;
	const struct jobs *jobs = bout->own;
	const int64_t latest_us = jobs->stopped_us + (of->death_ms - of->margin_ms) * 1000 +
				  NEAR_US;
	const int64_t earliest_us = latest_us - (of->ping_ms + of->grace_ms) * 1000 - 2 * NEAR_US;
	struct error err;
	struct history_reader *reader = history_reader_open(bout->stage->folder, "effect.log",
							    &err);
	char **words;
	size_t count;
	int64_t at;
	int near = 0;

	while (reader != NULL && history_reader_next(reader, &at, &words, &count, &err) > 0)
		near += at >= earliest_us && at <= latest_us && count > 1 &&
			strcmp(words[0], "end") == 0 && is_racer(jobs, words[1]);
	history_reader_close(reader);
	return near;
}

static int heal_race(struct bout *bout, struct error *err)
{
	const struct jobs *jobs = bout->own;
	bool stopped = process_state(fleet_pid(bout->stage->fleet, bout->target)) == 'T';
	int near;

	if (fleet_signal(bout->stage->fleet, bout->target, SIGCONT, err) != 0)
		return -1;
	near = jobs == NULL || jobs->stopped_us == 0 ? 0 : count_near(bout);
	if (stopped && near > 0)
		bout_witness(bout, "%d of %d jobs ended within the grace of the fence", near,
			     jobs->count);
	return 0;
}

/* ------------------------------------------------------------------------------------------------ */

const struct fault fault_job[] = {
	{ .row = 61,
	  .name = "job-payload-corrupt",
	  .stage = STAGE_PLAIN,
	  .demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP,
	  .what = "payloads become bytes that are no JSON, no UTF-8, or NUL, in the table itself",
	  .tool = "SQL",
	  .witness = "rows that were changed past the server's checks",
	  .heals = "nothing is to be healed",
	  .pass = "each such job ends; its worker and its neighbours live on",
	  .inject = inject_garbage },
	{ .row = 66,
	  .name = "admin-meddles",
	  .stage = STAGE_PLAIN,
	  .demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP,
	  .what = "claimed jobs are cancelled and ended ones retried as fast as it goes",
	  .tool = "locum's own functions",
	  .witness = "cancellations of claimed jobs, and new jobs from retries",
	  .heals = "it ends by itself",
	  .pass = "each job has one outcome",
	  .inject = inject_meddling },
	{ .row = 74,
	  .name = "job-crashes",
	  .stage = STAGE_PLAIN,
	  .demands = FAULT_NO_DEATH,
	  .what = "handlers exit with errors, end by signals, and fault",
	  .tool = "the harness's handlers",
	  .witness = "the reasons that are stored",
	  .heals = "nothing is to be healed",
	  .pass = "each job has failed, with its exact reason",
	  .inject = inject_crashes,
	  .judge = judge_crashes },
	{ .row = 75,
	  .name = "job-kills-agent",
	  .stage = STAGE_PLAIN,
	  .demands = FAULT_NO_DEATH,
	  .what = "the agent that runs a certain job is killed, each time it runs",
	  .tool = "kill",
	  .witness = "agents killed while the job ran",
	  .heals = "nothing is to be healed",
	  .pass = "the job is put away after ten interruptions at most",
	  .inject = inject_poison,
	  .heal = heal_poison,
	  .judge = judge_poison },
	{ .row = 78,
	  .name = "job-ends-at-fence",
	  .stage = STAGE_PLAIN,
	  .demands = FAULT_NO_OVERLAP | FAULT_RECLAIM,
	  .what = "a dispatcher is stopped so that its jobs end at the instant of its fence",
	  .tool = "SIGSTOP",
	  .witness = "its state, and runs that ended around the fence",
	  .heals = "SIGCONT",
	  .pass = "nothing is accepted twice",
	  .shortened = true,
	  .inject = inject_race,
	  .heal = heal_race },
	{ 0 },
};
