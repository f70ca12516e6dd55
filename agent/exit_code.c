#include "agent/exit_code.h"

#include <stdio.h>

/* Codes that are not listed, except 0, are a failure that counts and is tried again. */
static const struct meaning {
	int code;
	enum verdict verdict;
	const char *sentence;
} MEANINGS[] = {
	{ 75, VERDICT_RETRY, "asked to be tried again" },
	{ 111, VERDICT_RETRY, "asked to be tried again" },
	{ 64, VERDICT_FAIL, "failed for good" },
	{ 65, VERDICT_FAIL, "failed for good" },
	{ 76, VERDICT_FAIL, "failed for good" },
	{ 77, VERDICT_FAIL, "failed for good" },
	{ 78, VERDICT_FAIL, "failed for good" },
	{ 100, VERDICT_FAIL, "failed for good" },
	{ 112, VERDICT_FAIL, "failed for good" },
	{ 126, VERDICT_RELEASED, "could not be executed here" },
	{ 127, VERDICT_RELEASED, "could not be executed here" },
};

static const struct meaning *meaning_of(int code)
{
	for (size_t i = 0; i < sizeof(MEANINGS) / sizeof(MEANINGS[0]); i++) {
		if (MEANINGS[i].code == code)
			return &MEANINGS[i];
	}
	return NULL;
}

enum verdict exit_code_verdict(int code)
{
	const struct meaning *meaning = meaning_of(code);

	if (code == 0)
		return VERDICT_DONE;
	return meaning == NULL ? VERDICT_RETRY : meaning->verdict;
}

void exit_code_explain(int code, char *text, size_t size)
{
	const struct meaning *meaning = meaning_of(code);

	if (meaning == NULL)
		snprintf(text, size, "exit code %d", code);
	else
		snprintf(text, size, "%s (exit code %d)", meaning->sentence, code);
}
