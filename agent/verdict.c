#include "agent/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/exit_code.h"
#include "base/duration.h"
#include "base/limits.h"
#include "base/text.h"

enum { EXIT_CODE_OF_SIGTERM = 128 + SIGTERM }; /* of runtimes that turn the signal into an exit */

__attribute__((format(printf, 3, 4))) static void decide(struct run *run, enum verdict verdict,
							 const char *format, ...)
{
	va_list args;

	run->verdict = verdict;
	va_start(args, format);
	vsnprintf(run->error, sizeof(run->error), format, args);
	va_end(args);
}

static void judge_by_itself(struct run *run)
{
	const char *name;

	if (run->signal != 0) {
		name = sigdescr_np(run->signal);
		decide(run, VERDICT_RETRY, "killed by signal %d (%s)", run->signal,
		       name == NULL ? "unknown" : name);
		return;
	}
	run->verdict = exit_code_verdict(run->exit_code);
	if (run->verdict != VERDICT_DONE)
		exit_code_explain(run->exit_code, run->error, sizeof(run->error));
}

static bool ended_by_us(const struct run *run)
{
	return run->signal == SIGKILL || run->signal == SIGTERM ||
	       run->exit_code == EXIT_CODE_OF_SIGTERM;
}

/* What ended in the grace by its own exit code is judged by that. */
static void judge_interrupted(struct run *run, const char *why)
{
	if (ended_by_us(run))
		decide(run, VERDICT_INTERRUPTED, "%s", why);
	else
		judge_by_itself(run);
}

static void judge_end(struct run *run)
{
	char timeout[DURATION_TEXT_SIZE];

	switch (run->reason) {
	case RUN_UNDISTURBED:
	case RUN_FAULTY:
	case RUN_HUNG:
	case RUN_RETIRED:
	case RUN_LOST:
		judge_by_itself(run);
		break;
	case RUN_TIMED_OUT:
		decide(run, VERDICT_RETRY, "timed out after %s",
		       duration_text(run->timeout_ms, timeout));
		break;
	case RUN_STOPPED:
		judge_interrupted(run, VERDICT_TEXT_STOPPED);
		break;
	case RUN_FENCED:
		judge_interrupted(run, VERDICT_TEXT_FENCED);
		break;
	case RUN_CANCELLED:
		decide(run, VERDICT_CANCELLED, "%s", VERDICT_TEXT_CANCELLED);
		break;
	}
}

/* Returns what is wrong with the result, or NULL. */
static const char *unfit(const struct run *run)
{
	size_t length = buffer_length(&run->result);

	if (length == 0)
		return NULL;
	if (memchr(buffer_bytes(&run->result), 0, length) != NULL)
		return "holds a NUL byte";
	if (text_valid(buffer_bytes(&run->result), length) < length)
		return "is not valid UTF-8";
	return NULL;
}

void verdict_judge(struct run *run)
{
	const char *fault = unfit(run);

	judge_end(run);
	if (fault != NULL)
		buffer_free(&run->result);
	if (run->verdict != VERDICT_DONE)
		return;
	if (run->result_too_large)
		decide(run, VERDICT_FAIL, "result is larger than %d bytes", LIMIT_RESULT_BYTES);
	else if (fault != NULL)
		decide(run, VERDICT_FAIL, "result %s", fault);
}
