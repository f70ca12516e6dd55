#include "tools/locum/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "db/rows.h"
#include "tools/locum/colour.h"
#include "tools/locum/output.h"
#include "tools/locum/table.h"

enum { TITLE_WIDTH = 12 };

/* A value of a row as a line with a title; nothing for a null. */
static void put_text(const PGresult *job, const char *title, const char *name)
{
	const char *text = view_text(job, 0, name);
	char indent[TITLE_WIDTH + 3];

	if (text == NULL)
		return;
	snprintf(indent, sizeof(indent), "  %-*s", TITLE_WIDTH, title);
	output_block(stdout, indent, text);
}

/* "2026-01-31T10:00:00.123Z (12s ago)" */
static void put_moment(const PGresult *rows, int row, const char *name)
{
	int64_t time_us = view_time_us(rows, row, PQfnumber(rows, name));
	int64_t now_us = view_time_us(rows, row, PQfnumber(rows, "_now"));
	char moment[OUTPUT_TIME_SIZE];
	char ago[OUTPUT_TIME_SIZE];

	printf("%s (%s)", output_time(time_us, moment), output_ago(time_us, now_us, ago));
}

static void put_time(const PGresult *job, const char *title, const char *name)
{
	if (view_is_null(job, 0, name))
		return;
	printf("  %-*s", TITLE_WIDTH, title);
	put_moment(job, 0, name);
	putchar('\n');
}

/* "HOST pid 12 (incarnation UUID)"; the host is unknown when the dispatcher's row is gone. */
static void put_worker(const PGresult *rows, int row, const char *host, const char *pid,
		       const char *incarnation)
{
	char uuid[UUID_TEXT_SIZE];

	if (view_text(rows, row, host) != NULL)
		printf("%s pid %" PRId64 " ", view_text(rows, row, host), view_int(rows, row, pid));
	printf("(incarnation %s)", uuid_text(view_uuid(rows, row, incarnation), uuid));
}

/* A state, in its colour. */
static void put_state(const struct cli *cli, const char *state)
{
	const char *sequence = colour_wanted(cli) ? colour_of_state(state) : NULL;

	if (sequence == NULL)
		fputs(state, stdout);
	else
		printf("%s%s" COLOUR_END, sequence, state);
}

static void put_heading(const struct cli *cli, const PGresult *job)
{
	int64_t times = view_int(job, 0, "recoveries");

	printf("job %" PRId64 ": ", view_int(job, 0, "id"));
	put_state(cli, view_text(job, 0, "state"));
	if (view_bool(job, 0, "cancel_requested"))
		fputs(", to be cancelled", stdout);
	if (view_bool(job, 0, "reassigned"))
		printf(", reassigned %" PRId64 " time%s", times, times == 1 ? "" : "s");
	putchar('\n');
}

static void put_number(const PGresult *job, const char *title, const char *name)
{
	if (!view_is_null(job, 0, name))
		printf("  %-*s%" PRId64 "\n", TITLE_WIDTH, title, view_int(job, 0, name));
}

static void put_policy(const PGresult *job)
{
	char first[DURATION_TEXT_SIZE];
	char most[DURATION_TEXT_SIZE];

	printf("  %-*s%" PRId64 " of %" PRId64 ", %" PRId64 " interrupted\n", TITLE_WIDTH,
	       "attempts", view_int(job, 0, "attempt"), view_int(job, 0, "max_attempts"),
	       view_int(job, 0, "interruptions"));
	printf("  %-*s%s from %s, at most %s\n", TITLE_WIDTH, "pauses",
	       view_text(job, 0, "retry_backoff"),
	       duration_text(view_int(job, 0, "retry_delay_ms"), first),
	       duration_text(view_int(job, 0, "retry_cap_ms"), most));
	if (!view_is_null(job, 0, "timeout_ms"))
		printf("  %-*s%s\n", TITLE_WIDTH, "timeout",
		       duration_text(view_int(job, 0, "timeout_ms"), first));
}

static void put_labels(const PGresult *job)
{
	char *labels = table_labels(job, 0, "labels");
	char indent[TITLE_WIDTH + 3];

	snprintf(indent, sizeof(indent), "  %-*s", TITLE_WIDTH, "labels");
	if (labels != NULL && labels[0] != '\0')
		output_block(stdout, indent, labels);
	free(labels);
}

static void put_origin(const PGresult *job)
{
	put_text(job, "handler", "handler");
	put_text(job, "queue", "queue");
	put_number(job, "priority", "priority");
	put_policy(job);
	put_text(job, "key", "key");
	put_labels(job);
	put_number(job, "retry of", "retry_of");
	put_number(job, "follows", "follows");
	put_text(job, "by", "submitted_by");
	put_text(job, "trace", "traceparent");
}

static void put_facts(const PGresult *job)
{
	put_origin(job);
	put_time(job, "submitted", "created_at");
	put_time(job, "due", "run_at");
	put_time(job, "expires", "expires_at");
	put_time(job, "claimed", "claimed_at");
	put_time(job, "started", "started_at");
	put_time(job, "finished", "finished_at");
	if (!view_is_null(job, 0, "incarnation")) {
		printf("  %-*s", TITLE_WIDTH,
		       view_is_null(job, 0, "finished_at") ? "worker" : "done by");
		put_worker(job, 0, "host", "pid", "incarnation");
		putchar('\n');
	}
	put_text(job, "error", "error");
}

/* JSON is printed as it was given, to the byte. */
static void put_json(const PGresult *job, const char *name)
{
	const char *text = view_text(job, 0, name);

	if (text == NULL)
		return;
	printf("%s:\n", name);
	fwrite(text, 1, rows_length(job, 0, PQfnumber(job, name)), stdout);
	putchar('\n');
}

static void put_log(const PGresult *job)
{
	const char *log = view_text(job, 0, "log");

	if (log == NULL || log[0] == '\0')
		return;
	puts("end of its output:");
	output_block(stdout, "  | ", log);
}

static void put_certificate(const PGresult *episodes, int row)
{
	if (view_is_null(episodes, row, "declared_by"))
		return;
	fputs("    declared dead ", stdout);
	put_moment(episodes, row, "declared_at");
	fputs(" by ", stdout);
	put_worker(episodes, row, "declared_by_host", "declared_by_pid", "declared_by");
	putchar('\n');
	if (!view_is_null(episodes, row, "last_ping")) {
		fputs("    its last ping ", stdout);
		put_moment(episodes, row, "last_ping");
		putchar('\n');
	}
	if (!view_is_null(episodes, row, "returned_at")) {
		fputs("    it came back ", stdout);
		put_moment(episodes, row, "returned_at");
		putchar('\n');
	}
}

/* How a claim ended, in words; the outcomes stand in job_complete.sql and job_reclaim.sql. */
static const char *outcome_text(const char *outcome)
{
	static const struct {
		const char *outcome;
		const char *text;
	} WORDS[] = {
		{ "interrupted", "reassigned while it ran" },
		{ "reclaimed", "reassigned before it started" },
		{ "retry", "failed, to be tried again" },
		{ "release", "given back" },
		{ "interrupt", "interrupted" },
		{ "recover", "handed back: its agent died" },
	};

	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if (outcome != NULL && strcmp(WORDS[i].outcome, outcome) == 0)
			return WORDS[i].text;
	return outcome == NULL ? "ended" : outcome;
}

static void put_episode(const PGresult *episodes, int row)
{
	static const char *const MOMENTS[][2] = {
		{ "claimed", "claimed_at" },
		{ "started", "started_at" },
	};

	printf("  claim %" PRId64 " by ", view_int(episodes, row, "claim_seq"));
	put_worker(episodes, row, "host", "pid", "incarnation");
	putchar('\n');
	for (size_t i = 0; i < 2; i++) {
		if (view_is_null(episodes, row, MOMENTS[i][1]))
			continue;
		printf("    %s ", MOMENTS[i][0]);
		put_moment(episodes, row, MOMENTS[i][1]);
		putchar('\n');
	}
	printf("    %s ", outcome_text(view_text(episodes, row, "outcome")));
	put_moment(episodes, row, "ended_at");
	putchar('\n');
	if (view_text(episodes, row, "error") != NULL)
		output_block(stdout, "    | ", view_text(episodes, row, "error"));
	put_certificate(episodes, row);
}

static void put_follow_ups(const struct cli *cli, const PGresult *follow_ups)
{
	if (rows_count(follow_ups) > 0)
		puts("followed by:");
	for (int row = 0; row < rows_count(follow_ups); row++) {
		printf("  job %" PRId64 ": ", view_int(follow_ups, row, "id"));
		put_state(cli, view_text(follow_ups, row, "state"));
		printf(", handler %s, queue %s\n", view_text(follow_ups, row, "handler"),
		       view_text(follow_ups, row, "queue"));
	}
}

void story_put(const struct cli *cli, const PGresult *job, const PGresult *episodes,
	       const PGresult *follow_ups)
{
	put_heading(cli, job);
	put_facts(job);
	put_json(job, "payload");
	put_json(job, "checkpoint");
	put_json(job, "progress");
	put_json(job, "result");
	put_json(job, "then");
	put_log(job);
	if (rows_count(episodes) > 0)
		puts("earlier claims:");
	for (int row = 0; row < rows_count(episodes); row++)
		put_episode(episodes, row);
	put_follow_ups(cli, follow_ups);
}
