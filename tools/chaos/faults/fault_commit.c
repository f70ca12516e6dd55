/* Commits whose outcome their client does not learn, or learns wrong: by the fault proxy. */
#include <inttypes.h>
#include <string.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/relay/relay.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 30000, SINGLE = 5, SHARE_PERCENT = 20, LATE_DEATHS = 2 };

/* What is done, at what, for each fault of this file. */
struct deed {
	const char *fault;
	enum relay_harm harm;
	const char *trigger;
	const char *what; /* for the witness */
};

static const struct deed DEEDS[] = {
	{ "commit-answer-dropped", RELAY_CUT_ANSWER, "job_complete",
	  "completions were committed and answered to nobody" },
	{ "commit-request-dropped", RELAY_CUT_REQUEST, "job_complete",
	  "completions never arrived" },
	{ "commit-held-then-late", RELAY_HOLD_AND_CUT, "job_complete",
	  "completions of connections that were cut off arrived late" },
	{ "commit-aborted", RELAY_ABORT, "job_complete",
	  "completions went well up to their commit, which failed" },
	{ "claim-answer-dropped", RELAY_CUT_ANSWER, "job_claim",
	  "claims were committed and answered to nobody" },
	{ "claim-held-then-late", RELAY_HOLD_AND_CUT, "job_claim",
	  "claims of connections that were cut off arrived late" },
	{ "submission-answer-dropped", RELAY_CUT_ANSWER, "job_submit_arrays",
	  "submissions were committed and answered to nobody" },
	{ "submission-held-then-late", RELAY_HOLD_AND_CUT, "job_submit_arrays",
	  "submissions of connections that were cut off arrived late" },
	{ "submission-aborted", RELAY_ABORT, "job_submit_arrays",
	  "submissions went well up to their commit, which failed" },
	{ "settlement-answer-dropped", RELAY_CUT_ANSWER, "handler_call",
	  "jobs were committed by their own transactions and answered to nobody" },
	{ "answers-dropped-at-random", RELAY_CUT_ANSWER, NULL,
	  "requests were done and answered to nobody" },
	{ "commit-answers-dropped-at-random", RELAY_CUT_ANSWER, "job_complete",
	  "completions were committed and answered to nobody" },
};

static const struct deed *deed_of(const struct bout *bout)
{
	size_t i = 0;

	while (strcmp(DEEDS[i].fault, bout->fault->name) != 0)
		i++;
	return &DEEDS[i];
}

static bool is_hit(struct bout *bout)
{
	return relay_hits(bout->stage->relay) >= SINGLE;
}

static void witness(struct bout *bout)
{
	bout_witness(bout, "%" PRId64 " %s", relay_hits(bout->stage->relay), deed_of(bout)->what);
}

static void set_rule(struct bout *bout, int times, int percent)
{
	const struct deed *deed = deed_of(bout);

	relay_set(bout->stage->relay,
		  &(struct relay_rule){
			  .harm = deed->harm,
			  .trigger = deed->trigger,
			  .times = times,
			  .percent = percent,
			  .seed = bout->chance,
			  .hold_ms = LATE_DEATHS * bout->stage->act->intervals.death_ms,
		  });
}

static int await_hits(struct bout *bout, struct error *err)
{
	return bout_await(bout, is_hit, BITE_MS, "the harm to requests", err);
}

static int harm(struct bout *bout, struct error *err)
{
	set_rule(bout, SINGLE, 0);
	return await_hits(bout, err);
}

static int inject(struct bout *bout, struct error *err)
{
	if (harm(bout, err) != 0)
		return -1;
	witness(bout);
	return 0;
}

/* Its own jobs, for the load may have none of the kind. */
static int inject_settlement(struct bout *bout, struct error *err)
{
	set_rule(bout, SINGLE, 0);
	for (int i = 0; i < SINGLE; i++) {
		int64_t job;

		if (load_submit(bout->stage->load, "sql", "{\"work_us\": 1000}", &job, err) != 0)
			return -1;
	}
	if (await_hits(bout, err) != 0)
		return -1;
	witness(bout);
	return 0;
}

static int heal(struct bout *bout, struct error *err)
{
	(void)err;
	relay_set(bout->stage->relay, &(struct relay_rule){ .harm = RELAY_PASS });
	return 0;
}

/* --- late --------------------------------------------------------------------------------------- */

/* What is held arrives when its own time is over. */
static int64_t hold_late_ms(const struct bout *bout)
{
	return (LATE_DEATHS + 1) * bout->stage->act->intervals.death_ms;
}

static int heal_late(struct bout *bout, struct error *err)
{
	if (is_hit(bout) && relay_bytes(bout->stage->relay) > 0)
		witness(bout);
	return heal(bout, err);
}

/* --- many --------------------------------------------------------------------------------------- */

static int inject_many(struct bout *bout, struct error *err)
{
	set_rule(bout, 0, SHARE_PERCENT);
	return await_hits(bout, err);
}

static int64_t hold_many_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

static int heal_many(struct bout *bout, struct error *err)
{
	if (is_hit(bout))
		witness(bout);
	return heal(bout, err);
}

/* --- the rows ----------------------------------------------------------------------------------- */

#define COMMIT_DEMANDS (FAULT_NO_DEATH | FAULT_NO_CONFLICT | FAULT_NO_ATTEMPT)

#define FAULT_ROW(number, word, begin, end, text, criterion)                                       \
	.row = (number), .name = (word), .stage = STAGE_RELAY, .what = (text),                     \
	.tool = "the fault proxy", .witness = "the proxy counted requests that it harmed",         \
	.heals = "everything passes again", .pass = (criterion), .inject = (begin), .heal = (end)

const struct fault fault_commit[] = {
	{
		FAULT_ROW(49, "commit-answer-dropped", inject, heal,
			  "the server commits completions, and the connections are lost before the "
			  "answers arrive",
			  "each completion is found to be accepted, and no handler runs again"),
		.demands = COMMIT_DEMANDS,
	},
	{
		FAULT_ROW(
			49, "claim-answer-dropped", inject, heal,
			"the server commits claims, and the connections are lost before the answers "
			"arrive",
			"what was claimed without knowing is given back within two pings"),
		.demands = COMMIT_DEMANDS,
	},
	{
		FAULT_ROW(49, "submission-answer-dropped", inject, heal,
			  "the server commits submissions, and the clients' connections are lost "
			  "before the answers arrive",
			  "each job is stored once"),
		.demands = COMMIT_DEMANDS,
	},
	{
		FAULT_ROW(
			49, "settlement-answer-dropped", inject_settlement, heal,
			"the server commits jobs together with their effects, and the plugin hosts' "
			"connections are lost before the answers arrive",
			"each effect is there once"),
		.demands = FAULT_NO_DEATH,
	},
	{
		FAULT_ROW(49, "commit-answers-dropped-at-random", inject_many, heal_many,
			  "a fifth of all completions is committed, and the connections are lost "
			  "before the answers arrive",
			  "each completion is found to be accepted, and no handler runs again"),
		.demands = COMMIT_DEMANDS,
		.hold_ms = hold_many_ms,
	},
	{
		FAULT_ROW(49, "answers-dropped-at-random", inject_many, heal_many,
			  "a fifth of all that anybody asks is done, and the connections are lost "
			  "before the answers arrive",
			  "everything unknown is found out"),
		.hold_ms = hold_many_ms,
	},
	{
		FAULT_ROW(50, "commit-request-dropped", inject, heal,
			  "connections are lost before the server sees the completions that are on "
			  "their way",
			  "each completion is sent again and accepted once"),
		.demands = COMMIT_DEMANDS,
	},
	{
		FAULT_ROW(
			51, "commit-held-then-late", harm, heal_late,
			"completions of connections that were cut off arrive twice a death interval "
			"later, when they have long been repeated",
			"they change nothing"),
		.demands = COMMIT_DEMANDS,
		.hold_ms = hold_late_ms,
	},
	{
		FAULT_ROW(
			51, "claim-held-then-late", harm, heal_late,
			"claims of connections that were cut off arrive twice a death interval later",
			"what they take is given back within two pings"),
		.demands = COMMIT_DEMANDS,
		.hold_ms = hold_late_ms,
	},
	{
		FAULT_ROW(
			51, "submission-held-then-late", harm, heal_late,
			"submissions of connections that were cut off arrive twice a death interval "
			"later, when they have long been repeated",
			"each job is stored once"),
		.demands = COMMIT_DEMANDS,
		.hold_ms = hold_late_ms,
	},
	{
		FAULT_ROW(52, "commit-aborted", inject, heal,
			  "each statement of completions goes well, and their commit fails",
			  "they are sent again, and none is taken for stored"),
		.demands = COMMIT_DEMANDS,
	},
	{
		FAULT_ROW(52, "submission-aborted", inject, heal,
			  "each statement of submissions goes well, and their commit fails",
			  "no client is told that they are stored before they are"),
		.demands = COMMIT_DEMANDS,
	},
	{ 0 },
};
