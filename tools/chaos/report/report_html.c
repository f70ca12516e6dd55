#include "tools/chaos/report/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/report/digest.h"
#include "tools/chaos/report/picture.h"
#include "tools/chaos/report/report_style.h"
#include "tools/chaos/report/timeline.h"
#include "tools/chaos/report/words.h"

static void put_element(FILE *out, const char *tag, const char *class, const char *text)
{
	fprintf(out, "<%s%s%s%s>", tag, class[0] == '\0' ? "" : " class=\"", class,
		class[0] == '\0' ? "" : "\"");
	words_escape(out, text);
	fprintf(out, "</%s>", tag);
}

static void put_number(FILE *out, int64_t number, bool bad)
{
	char text[WORDS_SIZE];

	put_element(out, "td", bad && number != 0 ? "n bad" : "n", words_number(number, text));
}

static void put_time(FILE *out, int64_t ms)
{
	char text[WORDS_SIZE];

	put_element(out, "td", "n", words_time(ms, text));
}

/* --- the top ------------------------------------------------------------------------------------ */

static void put_head(FILE *out, const struct digest *digest)
{
	const char *word = words_valid(digest->verdict.valid);
	const char *suite = facts_text(digest->facts, "suite");
	char text[WORDS_SENTENCE];

	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>locum chaos: %s</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n"
		"<p class=\"soft\">locum chaos",
		word, report_style);
	if (suite[0] != '\0') {
		fputs(", suite ", out);
		words_escape(out, suite);
	}
	fprintf(out, "</p>\n<div class=\"verdict %s\">\n<h1>%c%s</h1>\n", word, word[0] - 'a' + 'A',
		word + 1);
	put_element(out, "p", "", words_sentence(digest, text));
	fputs("\n</div>\n", out);
}

static void put_tile(FILE *out, const char *value, const char *name, const char *class)
{
	fputs("<div>", out);
	put_element(out, "b", class, value);
	put_element(out, "span", "", name);
	fputs("</div>\n", out);
}

static void put_count_tile(FILE *out, int64_t number, const char *name, bool never)
{
	char text[WORDS_SIZE];

	put_tile(out, words_number(number, text), name, !never ? "" : number == 0 ? "good" : "bad");
}

static void put_tiles(FILE *out, const struct verdict *verdict)
{
	char text[WORDS_SIZE];

	fputs("<div class=\"tiles\">\n", out);
	put_count_tile(out, verdict->acknowledged, "jobs acknowledged", false);
	put_count_tile(out, verdict->lost, "lost", true);
	put_count_tile(out, verdict->duplicate_accepts, "accepted twice", true);
	put_count_tile(out, verdict->stale_accepts, "accepted from a stale claim", true);
	put_count_tile(out, verdict->commits_unknown, "commits of unknown fate", false);
	put_count_tile(out, verdict->unresolved, "of them unresolved", true);
	put_count_tile(out, verdict->deaths_true + verdict->deaths_false + verdict->deaths_forced,
		       "deaths declared", false);
	put_count_tile(out, verdict->deaths_false, "false deaths", true);
	put_tile(out, words_time(verdict->reclaim_max_ms, text), "to reclaim, at most", "");
	put_count_tile(out, verdict->overlaps, "runs that overlapped", false);
	fputs("</div>\n", out);
}

/* --- acts --------------------------------------------------------------------------------------- */

static const char LEGEND[] =
	"<ul class=\"legend\">"
	"<li><svg viewBox=\"0 0 22 14\"><rect class=\"life\" width=\"22\" height=\"14\"/></svg>"
	"a life of a dispatcher</li>"
	"<li><svg viewBox=\"0 0 22 14\"><rect class=\"life\" width=\"22\" height=\"14\"/>"
	"<path class=\"claims\" d=\"M0 14V8H6V3H12V9H22V14z\"/></svg>jobs that it claimed</li>"
	"<li><svg viewBox=\"0 0 22 14\"><rect class=\"fault\" width=\"22\" height=\"14\"/>"
	"<rect class=\"hurt\" y=\"4\" width=\"22\" height=\"6\"/></svg>a fault, by its number, and "
	"whom it hurt; paler until all is whole again</li>"
	"<li><svg viewBox=\"0 0 22 14\"><path class=\"cross\" d=\"M6 2l10 10m0 -10l-10 10\"/></svg>"
	"declared dead</li>"
	"<li><svg viewBox=\"0 0 22 14\"><path class=\"taken\" d=\"M11 2l5 5l-5 5l-5 -5z\"/></svg>"
	"its jobs were taken by siblings</li>"
	"<li><svg viewBox=\"0 0 22 14\"><path class=\"fence\" d=\"M11 0v14\"/></svg>its fence "
	"fell</li>"
	"<li><svg viewBox=\"0 0 22 14\"><path class=\"ended\" d=\"M0 14V6H8V3H15V8H22V14z\"/></svg>"
	"jobs ended, a second</li></ul>\n";

static void put_picture(FILE *out, const struct digest_act *act)
{
	struct error err = { ERROR_NONE, "", "" };
	struct timeline *timeline = timeline_open(act, &err);

	if (timeline == NULL) {
		put_element(out, "p", "soft", err.text);
		return;
	}
	fputs("<div class=\"card\">\n", out);
	picture_write(out, act, timeline);
	fputs(LEGEND, out);
	if (timeline->lanes_left_out > 0)
		fprintf(out, "<p class=\"soft\">%zu more dispatchers are not shown.</p>\n",
			timeline->lanes_left_out);
	fputs("</div>\n", out);
	timeline_close(timeline);
}

/* By the name of its lane. */
static void put_target(FILE *out, const char *target)
{
	char text[WORDS_SIZE] = "";

	if (target[0] != '\0')
		snprintf(text, sizeof(text), "d%ld", strtol(target, NULL, 10) + 1);
	put_element(out, "td", "", text);
}

static void put_bout(FILE *out, const struct digest_act *act, const struct digest_bout *bout)
{
	int64_t healed_us = bout->healed_us == DIGEST_NO_TIME ? bout->injected_us : bout->healed_us;
	bool wrong = bout->broken != NULL || bout->witnesses == 0;

	fprintf(out, "<tr><td class=\"n\">%d</td>", bout->number);
	put_element(out, "td", "name", bout->fault);
	put_target(out, bout->target);
	put_time(out, (bout->injected_us - act->began_us) / 1000);
	put_time(out, (healed_us - bout->injected_us) / 1000);
	put_time(out,
		 bout->settled_us == DIGEST_NO_TIME ? 0 : (bout->settled_us - healed_us) / 1000);
	put_element(out, "td", wrong ? "bad" : "",
		    bout->broken != NULL    ? bout->broken
		    : bout->witness != NULL ? bout->witness
					    : "nothing shows that it bit");
	fputs("</tr>\n", out);
}

static void put_bouts(FILE *out, const struct digest_act *act)
{
	if (act->bout_count == 0)
		return;
	fprintf(out,
		"<details><summary>its %zu injections, one by one</summary>\n<table>\n"
		"<tr><th class=\"n\">no.</th><th>fault</th><th>whom</th><th class=\"n\">after</th>"
		"<th class=\"n\">lasted</th><th class=\"n\">then whole in</th><th>witness</th></tr>\n",
		act->bout_count);
	for (size_t i = 0; i < act->bout_count; i++)
		put_bout(out, act, &act->bouts[i]);
	fputs("</table></details>\n", out);
}

static void put_act(FILE *out, const struct digest_act *act)
{
	char jobs[WORDS_SIZE];

	fputs("<h3>", out);
	words_escape(out, act->name);
	fprintf(out, ": <span class=\"%s\">%s</span></h3>\n<p class=\"soft\">",
		act->verdict.valid == VERDICT_VALID     ? "good"
		: act->verdict.valid == VERDICT_INVALID ? "bad"
							: "open",
		words_valid(act->verdict.valid));
	if (act->verdict.why[0] != '\0') {
		words_escape(out, act->verdict.why);
		fputs(". ", out);
	}
	fprintf(out, "%s jobs, ", words_number(act->verdict.acknowledged, jobs));
	words_escape(out, facts_text(act->facts, "dispatchers"));
	fputs(" dispatchers, stage ", out);
	words_escape(out, facts_text(act->facts, "stage"));
	fputs("</p>\n", out);
	put_picture(out, act);
	put_bouts(out, act);
}

/* --- tables ------------------------------------------------------------------------------------- */

static void put_invariants(FILE *out, const struct verdict *verdict)
{
	fputs("<h2>Invariants</h2>\n<div class=\"card\"><table>\n<tr><th>name</th><th>what must not "
	      "be</th><th class=\"n\">seen</th></tr>\n",
	      out);
	for (enum verdict_invariant i = 0; i < VERDICT_INVARIANT_COUNT; i++) {
		const struct verdict_violations *of = &verdict->of[i];

		fprintf(out, "<tr><td class=\"name\">%s %s</td><td>", verdict_name(i),
			verdict_word(i));
		words_escape(out, words_invariant(i));
		fputs(of->count > 0 ? "<ul class=\"wrong\">" : "", out);
		for (int64_t at = 0; at < of->count && at < VERDICT_EXAMPLES; at++)
			put_element(out, "li", "", of->examples[at]);
		fputs(of->count > 0 ? "</ul></td>" : "</td>", out);
		if (of->count == 0)
			fputs("<td class=\"n good\">never</td>", out);
		else
			put_number(out, of->count, true);
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static void put_fault(FILE *out, const struct verdict_fault *fault)
{
	const struct fault *known = fault_find(fault->name);

	fputs("<tr><td>", out);
	words_escape(out, fault->name);
	if (known != NULL)
		put_element(out, "small", "", known->what);
	fputs("</td>", out);
	put_number(out, fault->injected, false);
	put_element(out, "td", fault->witnessed < fault->injected ? "n bad" : "n",
		    words_number(fault->witnessed, (char[WORDS_SIZE]){ "" }));
	put_number(out, fault->broken, true);
	put_number(out, fault->deaths, false);
	put_time(out, fault->reclaim_max_ms);
	put_time(out, fault->back_max_ms);
	fputs("</tr>\n", out);
}

static void put_faults(FILE *out, const struct verdict *verdict)
{
	if (verdict->fault_count == 0)
		return;
	fputs("<h2>Faults</h2>\n<div class=\"card\"><table>\n<tr><th>fault</th><th "
	      "class=\"n\">injected</th><th class=\"n\">witnessed</th><th class=\"n\">criterion not "
	      "met</th><th class=\"n\">deaths</th><th class=\"n\">reclaimed after</th><th "
	      "class=\"n\">90 % again after</th></tr>\n",
	      out);
	for (size_t i = 0; i < verdict->fault_count; i++)
		put_fault(out, &verdict->faults[i]);
	fputs("</table></div>\n", out);
}

static void put_skips(FILE *out, const struct digest *digest)
{
	size_t skips = 0;

	for (size_t i = 0; i < digest->act_count; i++)
		skips += digest->acts[i].skip_count;
	if (skips == 0)
		return;
	fputs("<h2>Skipped here</h2>\n<div class=\"card\"><dl>\n", out);
	for (size_t i = 0; i < digest->act_count; i++)
		for (size_t j = 0; j < digest->acts[i].skip_count; j++) {
			put_element(out, "dt", "", digest->acts[i].skips[j].fault);
			put_element(out, "dd", "", digest->acts[i].skips[j].reason);
		}
	fputs("</dl></div>\n", out);
}

static void put_figures(FILE *out, const struct digest *digest)
{
	char text[WORDS_SENTENCE];
	const char *name;
	const char *value;

	fputs("<h2>Figures</h2>\n<div class=\"card\"><dl>\n", out);
	for (size_t i = 0; (name = words_figure(&digest->verdict, i, text)) != NULL; i++) {
		put_element(out, "dt", "", name);
		put_element(out, "dd", "", text);
	}
	fputs("</dl></div>\n<h2>The run</h2>\n<div class=\"card\"><dl>\n", out);
	for (size_t i = 0; (name = facts_at(digest->facts, i, &value)) != NULL; i++) {
		put_element(out, "dt", "", name);
		put_element(out, "dd", "", value);
	}
	fputs("</dl></div>\n", out);
}

/* --- the page ----------------------------------------------------------------------------------- */

static void put_page(FILE *out, const struct digest *digest)
{
	put_head(out, digest);
	put_tiles(out, &digest->verdict);
	fputs("<h2>What happened</h2>\n", out);
	for (size_t i = 0; i < digest->act_count; i++)
		put_act(out, &digest->acts[i]);
	put_invariants(out, &digest->verdict);
	put_faults(out, &digest->verdict);
	put_skips(out, digest);
	put_figures(out, digest);
	fputs("</main>\n</body>\n</html>\n", out);
}

/* Under another name first, so that a page is there whole or not at all. */
static int store(const struct digest *digest, const char *part, const char *path, struct error *err)
{
	FILE *out = fopen(part, "we");
	bool failed;

	if (out == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "%s", part);
	put_page(out, digest);
	failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed || rename(part, path) != 0) {
		error_set_errno(err, ERROR_FATAL, errno, "%s", path);
		unlink(part);
		return -1;
	}
	return 0;
}

int report_html(const char *folder, struct error *err)
{
	struct digest *digest = digest_open(folder, NULL, err);
	char *part = NULL;
	char *path = NULL;
	int status = -1;

	if (digest == NULL)
		return -1;
	if (asprintf(&part, "%s/report.part", folder) < 0)
		part = NULL;
	if (asprintf(&path, "%s/report.html", folder) < 0)
		path = NULL;
	if (part == NULL || path == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	else
		status = store(digest, part, path, err);
	free(part);
	free(path);
	digest_close(digest);
	return status;
}
