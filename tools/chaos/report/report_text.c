#include "tools/chaos/report/report.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tools/chaos/report/digest.h"
#include "tools/chaos/report/words.h"

enum { NAME_WIDTH = 20, WIDTH_LEAST = 40, WIDTH_MOST = 100 };

/* How many columns the first `length` bytes take; each character counts as one. */
static int columns_of(const char *text, size_t length)
{
	int columns = 0;

	for (size_t i = 0; i < length; i++)
		columns += ((unsigned char)text[i] & 0xc0) != 0x80;
	return columns;
}

/* Words with breaks between them, from column `at` on, further lines from there too. */
static void put_words(FILE *out, const char *text, int at, int width)
{
	int column = at;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");
		int columns = columns_of(text, length);

		if (column > at && column + 1 + columns > width) {
			fprintf(out, "\n%*s", at, "");
			column = at;
		} else if (column > at) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, length, out);
		column += columns;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* A name in the first columns and words behind it. What could move a cursor is made harmless. */
static void put_line(FILE *out, const char *name, const char *text, int width)
{
	int columns = columns_of(name, strlen(name));
	size_t length;
	char *clean = text_clean(text, strlen(text), &length);

	fprintf(out, "  %s%*s", name, columns < NAME_WIDTH - 2 ? NAME_WIDTH - 2 - columns : 0, "");
	if (columns >= NAME_WIDTH - 2)
		fprintf(out, "\n%*s", NAME_WIDTH, "");
	put_words(out, clean == NULL ? "" : clean, NAME_WIDTH, width);
	free(clean);
}

static void put_verdict(FILE *out, const struct digest *digest, int width)
{
	char text[WORDS_SENTENCE];
	char whole[WORDS_SENTENCE + 16];
	const char *word = words_valid(digest->verdict.valid);

	snprintf(whole, sizeof(whole), "%c%s: %s", word[0] - 'a' + 'A', word + 1,
		 words_sentence(digest, text));
	put_words(out, whole, 0, width);
}

static void put_figures(FILE *out, const struct digest *digest, int width)
{
	char text[WORDS_SENTENCE];
	const char *name;

	fputc('\n', out);
	for (size_t i = 0; (name = words_figure(&digest->verdict, i, text)) != NULL; i++)
		put_line(out, name, text, width);
}

/* Only what does not hold takes space. */
static void put_invariants(FILE *out, const struct digest *digest, int width)
{
	int broken = 0;
	char count[WORDS_SIZE];

	fputs("\nInvariants\n", out);
	for (enum verdict_invariant i = 0; i < VERDICT_INVARIANT_COUNT; i++) {
		const struct verdict_violations *of = &digest->verdict.of[i];
		char text[VERDICT_TEXT + 64];
		char name[64];

		if (of->count == 0)
			continue;
		broken++;
		snprintf(name, sizeof(name), "%s %s", verdict_name(i), verdict_word(i));
		snprintf(text, sizeof(text), "BROKEN (%s seen): %s", words_number(of->count, count),
			 words_invariant(i));
		put_line(out, name, text, width);
		for (int64_t at = 0; at < of->count && at < VERDICT_EXAMPLES; at++)
			put_line(out, "", of->examples[at], width);
	}
	if (broken == 0)
		put_line(out, "S1–S13, L1–L6", "nothing that was seen breaks any of them", width);
	else
		fprintf(out, "  nothing that was seen breaks the other %d\n",
			VERDICT_INVARIANT_COUNT - broken);
}

/* --- faults ------------------------------------------------------------------------------------- */

static struct libscols_table *make_table(FILE *out, int width)
{
	static const char *const TITLES[] = { "injected", "witnessed", "broken",
					      "deaths",   "reclaimed", "whole again" };
	struct libscols_table *table = scols_new_table();

	if (table == NULL)
		return NULL;
	scols_table_set_stream(table, out);
	scols_table_set_termforce(table, SCOLS_TERMFORCE_ALWAYS);
	scols_table_set_termwidth(table, (size_t)width);
	scols_table_new_column(table, "fault", 0, 0);
	for (size_t i = 0; i < sizeof(TITLES) / sizeof(TITLES[0]); i++)
		scols_table_new_column(table, TITLES[i], 0, SCOLS_FL_RIGHT);
	return table;
}

static void add_fault(struct libscols_table *table, const struct verdict_fault *fault)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const int64_t counts[] = { fault->injected, fault->witnessed, fault->broken,
				   fault->deaths };
	char text[WORDS_SIZE];

	if (line == NULL)
		return;
	scols_line_set_data(line, 0, fault->name);
	for (size_t i = 0; i < 4; i++)
		scols_line_set_data(line, i + 1, words_number(counts[i], text));
	scols_line_set_data(line, 5, words_time(fault->reclaim_max_ms, text));
	scols_line_set_data(line, 6, words_time(fault->back_max_ms, text));
}

static int put_faults(FILE *out, const struct digest *digest, int width, struct error *err)
{
	struct libscols_table *table;
	int status;

	if (digest->verdict.fault_count == 0)
		return 0;
	fputs("\nFaults\n", out);
	table = make_table(out, width);
	if (table == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < digest->verdict.fault_count; i++)
		add_fault(table, &digest->verdict.faults[i]);
	status = scols_print_table(table);
	scols_unref_table(table);
	return status == 0 ? 0 : error_set(err, ERROR_RETRY, "out of memory");
}

/* Injections that were not witnessed, or whose own criterion was not met. */
static void put_troubles(FILE *out, const struct digest *digest, int width)
{
	bool any = false;

	for (size_t i = 0; i < digest->act_count; i++) {
		const struct digest_act *act = &digest->acts[i];

		for (size_t j = 0; j < act->bout_count; j++) {
			const struct digest_bout *bout = &act->bouts[j];
			const char *text = bout->broken;

			if (text == NULL && bout->witnesses == 0)
				text = "nothing shows that it bit";
			if (text == NULL)
				continue;
			fputs(any ? "" : "\nInjections that did not go as they should\n", out);
			any = true;
			put_line(out, bout->fault, text, width);
		}
	}
}

static void put_skips(FILE *out, const struct digest *digest, int width)
{
	bool any = false;

	for (size_t i = 0; i < digest->act_count; i++)
		for (size_t j = 0; j < digest->acts[i].skip_count; j++) {
			const struct digest_skip *skip = &digest->acts[i].skips[j];

			fputs(any ? "" : "\nSkipped here\n", out);
			any = true;
			put_line(out, skip->fault, skip->reason, width);
		}
}

static void put_origin(FILE *out, const struct digest *digest)
{
	const char *suite = facts_text(digest->facts, "suite");
	const char *seed = facts_text(digest->facts, "seed");

	fputc('\n', out);
	if (suite[0] != '\0')
		fprintf(out, "suite %s, ", suite);
	if (seed[0] != '\0')
		fprintf(out, "seed %s, ", seed);
	fprintf(out, "%zu %s, in %s\n", digest->act_count, digest->act_count == 1 ? "act" : "acts",
		digest->folder);
}

int report_text(FILE *out, const char *folder, const struct verdict_run *judged, int width,
		struct error *err)
{
	struct digest *digest = digest_open(folder, judged, err);
	int status;

	if (digest == NULL)
		return -1;
	width = width > WIDTH_MOST || width <= 0 ? WIDTH_MOST : width;
	width = width < WIDTH_LEAST ? WIDTH_LEAST : width;
	put_verdict(out, digest, width);
	put_figures(out, digest, width);
	put_invariants(out, digest, width);
	status = put_faults(out, digest, width, err);
	put_troubles(out, digest, width);
	put_skips(out, digest, width);
	put_origin(out, digest);
	digest_close(digest);
	if (status == 0 && fflush(out) != 0)
		status = error_set(err, ERROR_FATAL, "the report cannot be written");
	return status;
}
