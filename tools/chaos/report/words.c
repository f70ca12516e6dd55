#include "tools/chaos/report/words.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define VERDICT_TEXT_OF(name, word, text) text,
static const char *const FORBIDDEN[] = { VERDICT_INVARIANTS(VERDICT_TEXT_OF) };
#undef VERDICT_TEXT_OF

const char *words_valid(enum verdict_valid valid)
{
	switch (valid) {
	case VERDICT_VALID:
		return "valid";
	case VERDICT_INVALID:
		return "invalid";
	case VERDICT_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *words_invariant(enum verdict_invariant invariant)
{
	return FORBIDDEN[invariant];
}

const char *words_number(int64_t number, char text[static WORDS_SIZE])
{
	char digits[WORDS_SIZE / 2 + 8];
	int length = snprintf(digits, sizeof(digits), "%" PRId64, number);
	size_t used = 0;

	for (int i = 0; i < length && used + 2 < WORDS_SIZE; i++) {
		if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0)
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

const char *words_time(int64_t ms, char text[static WORDS_SIZE])
{
	if (ms <= 0)
		snprintf(text, WORDS_SIZE, "–");
	else if (ms < 1000)
		snprintf(text, WORDS_SIZE, "%.3f s", (double)ms / 1000);
	else if (ms < 20000)
		snprintf(text, WORDS_SIZE, "%.1f s", (double)ms / 1000);
	else
		snprintf(text, WORDS_SIZE, "%" PRId64 " s", (ms + 500) / 1000);
	return text;
}

enum { LOSSES_SIZE = 512 };

/* --- the verdict -------------------------------------------------------------------------------- */

static size_t count_bouts(const struct digest *digest)
{
	size_t bouts = 0;

	for (size_t i = 0; i < digest->act_count; i++)
		bouts += digest->acts[i].bout_count;
	return bouts;
}

static int64_t count_violations(const struct verdict *verdict)
{
	int64_t violations = 0;

	for (int i = 0; i < VERDICT_INVARIANT_COUNT; i++)
		violations += verdict->of[i].count;
	return violations;
}

/* Whether it begins with the name of a file or a fault, which is written as it is. */
static bool is_name(const char *text)
{
	return strcspn(text, "-./:_") < strcspn(text, " ");
}

/* Which jobs were lost, where some may be. */
static const char *losses_of(const struct verdict *verdict, char text[static LOSSES_SIZE])
{
	char jobs[WORDS_SIZE];
	char completions[WORDS_SIZE];

	if (verdict->lost_by_failover == 0 && verdict->completions_lost == 0)
		return "Each was accepted once; none was lost";
	snprintf(text, LOSSES_SIZE,
		 "None was accepted twice; lost by failovers that may lose: %s jobs%s%s%s, and %s "
		 "accepted completions",
		 words_number(verdict->lost_by_failover, jobs),
		 verdict->lost_ids[0] == '\0' ? "" : " (the first:", verdict->lost_ids,
		 verdict->lost_ids[0] == '\0' ? "" : ")",
		 words_number(verdict->completions_lost, completions));
	return text;
}

const char *words_sentence(const struct digest *digest, char text[static WORDS_SENTENCE])
{
	const struct verdict *verdict = &digest->verdict;
	int64_t violations = count_violations(verdict);
	char jobs[WORDS_SIZE];
	char bouts[WORDS_SIZE];
	char number[WORDS_SIZE];
	char losses[LOSSES_SIZE];

	words_number(verdict->acknowledged, jobs);
	words_number((int64_t)count_bouts(digest), bouts);
	words_number(violations, number);
	switch (verdict->valid) {
	case VERDICT_VALID:
		snprintf(text, WORDS_SENTENCE,
			 "%s acknowledged jobs went through %s injections of %zu faults. %s.", jobs,
			 bouts, verdict->fault_count, losses_of(verdict, losses));
		break;
	case VERDICT_INVALID:
		snprintf(text, WORDS_SENTENCE,
			 "%s. Violations among %s acknowledged jobs in %s injections: %s.",
			 verdict->why, jobs, bouts, number);
		break;
	case VERDICT_UNKNOWN:
		snprintf(text, WORDS_SENTENCE,
			 "%s. That is not enough to tell. Violations seen among %s acknowledged "
			 "jobs in %s injections: %s.",
			 verdict->why, jobs, bouts, number);
		break;
	}
	if (text[0] >= 'a' && text[0] <= 'z' && !is_name(text))
		text[0] = (char)(text[0] - 'a' + 'A');
	return text;
}

/* --- figures ------------------------------------------------------------------------------------ */

/* Names in the words of the format; each %s is a number, or a time after a "~". */
struct line {
	const char *name;
	const char *format;
	size_t at[7];
};

#define AT(field) offsetof(struct verdict, field)
static const struct line LINES[] = {
	{ "jobs",
	  "% submitted, % acknowledged, % ended: % completed, % failed, % cancelled, % expired",
	  { AT(attempted), AT(acknowledged), AT(ended), AT(completed), AT(failed), AT(cancelled),
	    AT(expired) } },
	{ "never to be",
	  "% lost, % unexpected, % accepted twice, % accepted from a stale claim, % false answers",
	  { AT(lost), AT(unexpected), AT(duplicate_accepts), AT(stale_accepts),
	    AT(false_truths) } },
	{ "left over", "% orphans, % leaked claims", { AT(orphans), AT(leaked_claims) } },
	{ "runs",
	  "% begun, % reclaimed, % recovered; % overlapped, ~ at most",
	  { AT(runs), AT(reclaims), AT(recovered), AT(overlaps), AT(overlap_max_ms) } },
	{ "commits",
	  "% of unknown fate: % had been accepted, % had been lost, % stay unknown",
	  { AT(commits_unknown), AT(resolved_accepted), AT(resolved_lost), AT(unresolved) } },
	{ "submissions",
	  "% of unknown fate, % of them resolved",
	  { AT(submissions_unknown), AT(submissions_resolved) } },
	{ "deaths",
	  "% of dispatchers that were gone, % of living ones that a fault had silenced, % of living "
	  "ones without a reason; % write conflicts",
	  { AT(deaths_true), AT(deaths_forced), AT(deaths_false), AT(conflicts) } },
	{ "crashes", "% of dispatchers and agents", { AT(crashes) } },
	{ "reclaimed after",
	  "~ in the median, ~ for 99 %%, ~ at most",
	  { AT(reclaim_p50_ms), AT(reclaim_p99_ms), AT(reclaim_max_ms) } },
	{ "whole again after",
	  "~ at most: 90 %% of the usual jobs a second, after % faults of which that was seen",
	  { AT(back_max_ms), AT(paced) } },
	{ "criteria untold", "%, for there were too few samples", { AT(untold) } },
	{ "lost by failover",
	  "% acknowledged jobs, % accepted completions",
	  { AT(lost_by_failover), AT(completions_lost) } },
	{ "pairs of faults", "%, and % of which one bit alone", { AT(pairs), AT(half_pairs) } },
	{ "faults skipped", "%", { AT(skipped) } },
};
#undef AT

static int64_t field_of(const struct verdict *verdict, size_t offset)
{
	int64_t value;

	memcpy(&value, (const char *)verdict + offset, sizeof(value));
	return value;
}

const char *words_figure(const struct verdict *verdict, size_t i, char text[static WORDS_SENTENCE])
{
	const struct line *line = &LINES[i];
	size_t used = 0;
	size_t next = 0;

	if (i >= sizeof(LINES) / sizeof(LINES[0]))
		return NULL;
	for (const char *at = line->format; *at != '\0' && used + WORDS_SIZE < WORDS_SENTENCE;
	     at++) {
		char word[WORDS_SIZE] = { *at, '\0' };

		if (at[0] == '%' && at[1] == '%')
			at++;
		else if (*at == '%')
			words_number(field_of(verdict, line->at[next++]), word);
		else if (*at == '~')
			words_time(field_of(verdict, line->at[next++]), word);
		used += (size_t)snprintf(text + used, WORDS_SENTENCE - used, "%s", word);
	}
	return line->name;
}

/* --- text in a page ----------------------------------------------------------------------------- */

static void escape_character(FILE *out, const char *text, size_t length)
{
	switch (*text) {
	case '&':
		fputs("&amp;", out);
		break;
	case '<':
		fputs("&lt;", out);
		break;
	case '>':
		fputs("&gt;", out);
		break;
	case '"':
		fputs("&quot;", out);
		break;
	case '\'':
		fputs("&#39;", out);
		break;
	default:
		fwrite(text, 1, length, out);
		break;
	}
}

void words_escape(FILE *out, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t length = text_character(text, left);
		bool control = length == 1 && ((unsigned char)*text < ' ' || *text == 0x7f);

		if (length == 0 || control)
			fputs("\xef\xbf\xbd", out);
		else
			escape_character(out, text, length);
		length = length == 0 ? 1 : length;
		text += length;
		left -= length;
	}
}
