#include "tests/support/chaos_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/chaos/judge/checker.h"

enum { TEXT_SIZE = 65536 };

struct chaos_history {
	char folder[64];
	char texts[CHAOS_HISTORY_FILES][TEXT_SIZE];
	size_t cuts[CHAOS_HISTORY_FILES];
	bool omitted[CHAOS_HISTORY_FILES];
	const char *hidden[CHAOS_HISTORY_FILES];
	const struct checker_terms *terms;
	struct verdict verdict;
};

static const char *const NAMES[] = { "act",           "nemesis.log",   "database.log",
				     "worker-d1.log", "worker-d2.log", "client-1.log",
				     "effect.log",    "final.log" };

/* demand_harm: jobs of the dead are reclaimed in time. */
static const char *const GOOD[] = {
	"name=good\nping_us=200000\ndeath_us=2000000\nscan_us=200000\npoll_us=200000\n"
	"began_us=1000000\nbegan_real_us=5\nclients=1\ndemand_harm=16\n",

	"1000000 begin 7\n"
	"1000000 clock 77 1000000\n"
	"1600000 inject 1 harm 0\n"
	"1600100 witness 1 the process is gone\n"
	"3900000 heal 1\n"
	"4400000 settled 1\n"
	"5000000 drained 2\n"
	"5000001 end\n",

	"1100000 alive A dA\n"
	"1100001 alive B dB\n"
	"1200000 submit 1 10 pending plugin\n"
	"1200000 submit 2 10 pending plugin\n"
	"1300000 claim 1 11 c1 1 A\n"
	"1310000 claim 2 12 c2 1 A\n"
	"1320000 start 1 13 c1 1 A\n"
	"1320000 start 2 13 c2 1 A\n"
	"1400000 end 1 14 c1 1 A completed\n"
	"3700000 dead A 2100000 2000000 B 4\n"
	"3710000 back 2 16 c2 1 A pending\n"
	"3720000 claim 2 17 c3 2 B\n"
	"3800000 end 2 18 c3 2 B completed\n",

	"1101000 register A dA 100\n"
	"1301000 claim A c1 1:1\n"
	"1301001 begin c1 1\n"
	"1311000 claim A c2 2:1\n"
	"1311001 begin c2 2\n"
	"1399000 complete k1 1:completed:c1\n"
	"1401000 answer k1 1:accepted\n"
	"1590000 ping 1\n"
	"1591000 acked 1\n",

	"1101000 register B dB 200\n"
	"1590000 ping 1\n"
	"1591000 acked 1\n"
	"3580000 ping 2\n"
	"3581000 acked 2\n"
	"3721000 claim B c3 2:2\n"
	"3721001 begin c3 2\n"
	"3799000 complete k2 2:completed:c3\n"
	"3801000 answer k2 2:accepted\n",

	"1199000 submit R 2\n"
	"1201000 ok R 1 2\n",

	"1302000 begin 1 c1 1 50\n"
	"1312000 begin 2 c2 1 51\n"
	"1398000 end 1 c1 1 50\n"
	"1500000 beat 2 c2 1 51\n"
	"3722000 begin 2 c3 2 60\n"
	"3790000 end 2 c3 2 60\n",

	"0 job 1 completed c1 1 1 0 0\n"
	"0 job 2 completed c3 2 1 1 1\n",
};

int chaos_history_open(void **state)
{
	struct chaos_history *history = calloc(1, sizeof(*history));

	assert_non_null(history);
	snprintf(history->folder, sizeof(history->folder), "/tmp/locum-checker.XXXXXX");
	assert_non_null(mkdtemp(history->folder));
	for (int i = 0; i < CHAOS_HISTORY_FILES; i++)
		snprintf(history->texts[i], TEXT_SIZE, "%s", GOOD[i]);
	*state = history;
	return 0;
}

int chaos_history_close(void **state)
{
	struct chaos_history *history = *state;
	char path[128];

	for (int i = 0; i < CHAOS_HISTORY_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", history->folder, NAMES[i]);
		unlink(path);
	}
	rmdir(history->folder);
	free(history);
	return 0;
}

void chaos_history_add(struct chaos_history *history, enum chaos_history_file file,
		       const char *line)
{
	size_t length = strlen(history->texts[file]);

	snprintf(history->texts[file] + length, TEXT_SIZE - length, "%s\n", line);
}

void chaos_history_change(struct chaos_history *history, enum chaos_history_file file,
			  const char *from, const char *to)
{
	char *text = history->texts[file];
	char *at = strstr(text, from);
	char rest[TEXT_SIZE];

	if (at == NULL)
		fail_msg("\"%s\" is not in %s", from, NAMES[file]);
	else {
		snprintf(rest, sizeof(rest), "%s", at + strlen(from));
		snprintf(at, TEXT_SIZE - (size_t)(at - text), "%s%s", to, rest);
	}
}

void chaos_history_omit(struct chaos_history *history, enum chaos_history_file file)
{
	history->omitted[file] = true;
}

void chaos_history_empty(struct chaos_history *history, enum chaos_history_file file)
{
	history->texts[file][0] = '\0';
}

void chaos_history_cut(struct chaos_history *history, enum chaos_history_file file, size_t bytes)
{
	history->cuts[file] = bytes;
}

/* As who writes it does. */
static void close_text(char *text)
{
	size_t length = strlen(text);
	int lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	snprintf(text + length, TEXT_SIZE - length, "0 closed %d\n", lines);
}

static void take_out(struct chaos_history *history, int file)
{
	if (history->hidden[file] != NULL)
		chaos_history_change(history, (enum chaos_history_file)file, history->hidden[file],
				     "");
}

static void store(struct chaos_history *history, int file)
{
	char path[128];
	size_t length;
	FILE *out;

	if (file != CHAOS_HISTORY_ACT)
		close_text(history->texts[file]);
	take_out(history, file);
	length = strlen(history->texts[file]) - history->cuts[file];
	snprintf(path, sizeof(path), "%s/%s", history->folder, NAMES[file]);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(history->texts[file], 1, length, out), length);
	fclose(out);
}

void chaos_history_hide(struct chaos_history *history, enum chaos_history_file file,
			const char *text)
{
	history->hidden[file] = text;
}

void chaos_history_hold_against(struct chaos_history *history, const struct checker_terms *terms)
{
	history->terms = terms;
}

const struct verdict *chaos_history_judge(struct chaos_history *history)
{
	struct error err;

	for (int i = 0; i < CHAOS_HISTORY_FILES; i++)
		if (!history->omitted[i])
			store(history, i);
	if (checker_judge(history->folder, history->terms, &history->verdict, &err) != 0)
		fail_msg("%s", err.text);
	return &history->verdict;
}

static void tell(const struct verdict *verdict)
{
	print_message("valid %d: %s\n", verdict->valid, verdict->why);
	for (int i = 0; i < VERDICT_INVARIANT_COUNT; i++)
		for (int at = 0; at < VERDICT_EXAMPLES && at < verdict->of[i].count; at++)
			print_message("%s: %s\n", verdict_name((enum verdict_invariant)i),
				      verdict->of[i].examples[at]);
}

const struct verdict *chaos_history_accepted(struct chaos_history *history)
{
	const struct verdict *verdict = chaos_history_judge(history);

	if (verdict->valid != VERDICT_VALID)
		tell(verdict);
	assert_int_equal(verdict->valid, VERDICT_VALID);
	return verdict;
}

static bool is_rejected(const struct verdict *verdict, enum verdict_invariant invariant,
			bool others)
{
	if (verdict->valid != VERDICT_INVALID || verdict->of[invariant].count == 0)
		return false;
	for (int i = 0; i < VERDICT_INVARIANT_COUNT && !others; i++)
		if (i != (int)invariant && verdict->of[i].count != 0)
			return false;
	return true;
}

void chaos_history_rejected(struct chaos_history *history, enum verdict_invariant invariant,
			    bool others)
{
	const struct verdict *verdict = chaos_history_judge(history);

	if (!is_rejected(verdict, invariant, others))
		tell(verdict);
	assert_true(is_rejected(verdict, invariant, others));
}

void chaos_history_unknown(struct chaos_history *history, const char *why)
{
	const struct verdict *verdict = chaos_history_judge(history);

	if (verdict->valid != VERDICT_UNKNOWN || strstr(verdict->why, why) == NULL)
		tell(verdict);
	assert_int_equal(verdict->valid, VERDICT_UNKNOWN);
	assert_non_null(strstr(verdict->why, why));
}

void chaos_history_broken(struct chaos_history *history, const char *why)
{
	const struct verdict *verdict = chaos_history_judge(history);

	if (verdict->valid != VERDICT_INVALID || strstr(verdict->why, why) == NULL)
		tell(verdict);
	assert_int_equal(verdict->valid, VERDICT_INVALID);
	assert_non_null(strstr(verdict->why, why));
	for (int i = 0; i < VERDICT_INVARIANT_COUNT; i++)
		assert_int_equal(verdict->of[i].count, 0);
}
