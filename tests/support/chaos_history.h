/*
 * A hand-written history of an act for the judge: a good one to begin with, in which A does one job and dies with
 * another, which B does. A test changes it and asks for the verdict. Claims are called c1, c2 …; incarnations A, B of the
 * dispatchers dA, dB; the database's clock is the monotonic one, in microseconds.
 */
#ifndef LOCUM_TESTS_SUPPORT_CHAOS_HISTORY_H
#define LOCUM_TESTS_SUPPORT_CHAOS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/chaos/judge/checker.h"
#include "tools/chaos/judge/verdict.h"

enum chaos_history_file {
	CHAOS_HISTORY_ACT,
	CHAOS_HISTORY_NEMESIS,
	CHAOS_HISTORY_DATABASE,
	CHAOS_HISTORY_A,
	CHAOS_HISTORY_B,
	CHAOS_HISTORY_CLIENT,
	CHAOS_HISTORY_EFFECT,
	CHAOS_HISTORY_FINAL,
	CHAOS_HISTORY_FILES,
};

struct chaos_history;

/* Set-up and tear-down of a test; the state is the struct chaos_history. */
int chaos_history_open(void **state);
int chaos_history_close(void **state);

/* Adds a line behind the last one, but before `closed`. */
void chaos_history_add(struct chaos_history *history, enum chaos_history_file file,
		       const char *line);

/* Puts lines in place of that text, which must be there; "": takes it out. */
void chaos_history_change(struct chaos_history *history, enum chaos_history_file file,
			  const char *from, const char *to);

/* The file is not written; has no records; ends so many bytes early. */
void chaos_history_omit(struct chaos_history *history, enum chaos_history_file file);
void chaos_history_empty(struct chaos_history *history, enum chaos_history_file file);
void chaos_history_cut(struct chaos_history *history, enum chaos_history_file file, size_t bytes);

/* Takes that text, which must outlive the history, out of what was written. */
void chaos_history_hide(struct chaos_history *history, enum chaos_history_file file,
			const char *text);

/* What was to be played, which must outlive the history. Without it the act's own file is believed. */
void chaos_history_hold_against(struct chaos_history *history, const struct checker_terms *terms);

const struct verdict *chaos_history_judge(struct chaos_history *history);

/* The verdict must be valid; invalid for that reason and, unless `others`, for no other; invalid though no
 * invariant is violated, or unknown, because of what holds this text. */
const struct verdict *chaos_history_accepted(struct chaos_history *history);
void chaos_history_rejected(struct chaos_history *history, enum verdict_invariant invariant,
			    bool others);
void chaos_history_broken(struct chaos_history *history, const char *why);
void chaos_history_unknown(struct chaos_history *history, const char *why);

#define CHAOS_HISTORY_TEST(test)                                                                   \
	cmocka_unit_test_setup_teardown(test, chaos_history_open, chaos_history_close)

#endif
