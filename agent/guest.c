#include "agent/guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/guest_note.h"
#include "agent/server.h"
#include "agent/verdict.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "base/text.h"

/* --- time -------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *handle);

int64_t guest_deadline_ms(const struct run *guest)
{
	if (guest->timeout_ms == 0)
		return 0;
	return clock_wall_ms() + guest->timeout_ms;
}

/* Most guests need no timer: it is made with the first use. */
static void wake_in(struct run *guest, int64_t ms)
{
	if (guest->timer.data == NULL) {
		uv_timer_init(guest->shared->loop, &guest->timer);
		guest->timer.data = guest;
		guest->handles++;
	}
	uv_update_time(guest->shared->loop);
	uv_timer_start(&guest->timer, on_timer, (uint64_t)(ms < 0 ? 0 : ms), 0);
}

static void wake_when_due(struct run *guest, int64_t now_ms)
{
	int64_t due_ms = guest->deadline_ms;

	if (due_ms == 0 || (guest->quiet_ms > 0 && guest->quiet_ms < due_ms))
		due_ms = guest->quiet_ms;
	if (due_ms > 0)
		wake_in(guest, due_ms - now_ms);
}

static void check_time(struct run *guest)
{
	int64_t now_ms = clock_monotonic_ms();

	if (guest->deadline_ms > 0 && now_ms >= guest->deadline_ms) {
		guest_terminate(guest, RUN_TIMED_OUT, guest->shared->kill_grace_ms);
	} else if (guest->quiet_ms > 0 && now_ms >= guest->quiet_ms) {
		guest->is_quiet = true;
		guest_terminate(guest, RUN_TIMED_OUT, guest->shared->kill_grace_ms);
	} else {
		wake_when_due(guest, now_ms);
	}
}

static void on_timer(uv_timer_t *handle)
{
	struct run *guest = handle->data;

	guard_check(&guest->shared->guard);
	if (guest->state == RUN_RUNNING)
		check_time(guest);
	else if (guest->state == RUN_TERMINATING)
		run_kill(guest->server->run, RUN_HUNG);
}

void guest_begin(struct run *guest)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t silence_ms = guest->program->handler->progress_timeout_ms;

	guest->started_ms = clock_boottime_ms();
	guest->deadline_ms = guest->timeout_ms > 0 ? now_ms + guest->timeout_ms : 0;
	guest->quiet_ms = silence_ms > 0 ? now_ms + silence_ms : 0;
	guest->state = RUN_RUNNING;
	arrival_free(guest->arrival);
	guest->arrival = NULL;
	wake_when_due(guest, now_ms);
}

void guest_progress(struct run *guest)
{
	if (guest->quiet_ms > 0)
		guest->quiet_ms = clock_monotonic_ms() +
				  guest->program->handler->progress_timeout_ms;
}

static const char *cancel_word(const struct run *guest)
{
	switch (guest->reason) {
	case RUN_TIMED_OUT:
		return guest->is_quiet ? "progress" : "timeout";
	case RUN_CANCELLED:
		return "cancelled";
	case RUN_LOST:
		return "lost";
	case RUN_UNDISTURBED:
	case RUN_STOPPED:
	case RUN_FENCED:
	case RUN_FAULTY:
	case RUN_HUNG:
	case RUN_RETIRED:
		break;
	}
	return "stopped";
}

/* The first reason stays, but a cancel and a loss go before all others. */
void guest_terminate(struct run *guest, enum run_reason reason, int64_t grace_ms)
{
	if (guest->reason == RUN_UNDISTURBED || (reason >= RUN_CANCELLED && reason > guest->reason))
		guest->reason = reason;
	if (guest->state != RUN_RUNNING)
		return;
	guest->state = RUN_TERMINATING;
	server_cancel(guest->server, guest->job.id, cancel_word(guest));
	wake_in(guest, grace_ms);
}

/* --- judging ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void decide(struct run *guest, enum verdict verdict,
							 const char *format, ...)
{
	va_list args;

	guest->verdict = verdict;
	va_start(args, format);
	vsnprintf(guest->error, sizeof(guest->error), format, args);
	va_end(args);
}

static void finish(struct run *guest)
{
	if (guest->timer.data != NULL)
		uv_timer_stop(&guest->timer);
	if (guest->log == NULL)
		guest->log = output_text(&guest->output, &guest->log_length);
	guest->ended_ms = clock_boottime_ms();
	guest->state = RUN_DONE;
	guest_note_end(guest);
}

/* Whether why it was ended decides, whatever it did after. */
static bool judge_ended(struct run *guest)
{
	char limit[DURATION_TEXT_SIZE];

	if (guest->reason == RUN_TIMED_OUT && guest->is_quiet)
		decide(guest, VERDICT_RETRY, "no progress for %s",
		       duration_text(guest->program->handler->progress_timeout_ms, limit));
	else if (guest->reason == RUN_TIMED_OUT)
		decide(guest, VERDICT_RETRY, "timed out after %s",
		       duration_text(guest->timeout_ms, limit));
	else if (guest->reason == RUN_CANCELLED || guest->reason == RUN_LOST)
		decide(guest, VERDICT_CANCELLED, "%s", VERDICT_TEXT_CANCELLED);
	else
		return false;
	return true;
}

void guest_answer(struct run *guest, const struct rpc_value *value)
{
	if (!judge_ended(guest)) {
		guest->verdict = VERDICT_DONE;
		if (value->is_deep)
			decide(guest, VERDICT_FAIL, "result has more than %d levels",
			       JSON_SCAN_DEPTH);
		else if (value->json.bytes != NULL &&
			 buffer_append(&guest->result, value->json.bytes, value->json.length,
				       NULL) != 0)
			decide(guest, VERDICT_FAIL, "result is larger than %d bytes",
			       LIMIT_RESULT_BYTES);
	}
	finish(guest);
}

/* Cuts a text where a character ends. */
static void cut(char *text, size_t size)
{
	size_t length = strlen(text);

	if (length + 1 >= size)
		text[text_valid(text, length)] = '\0';
}

void guest_fail(struct run *guest, const struct rpc_failure *failure)
{
	size_t length;
	size_t cleaned;
	char *text;
	char *message;

	if (!judge_ended(guest)) {
		text = json_text_decode(failure->message, &length);
		message = text == NULL ? NULL : text_clean(text, length, &cleaned);
		decide(guest, failure->verdict, "%s", message == NULL ? "failed" : message);
		cut(guest->error, sizeof(guest->error));
		guest->delay_ms = failure->delay_ms;
		free(message);
		free(text);
	}
	finish(guest);
}

/* Its own lines, then the last ones of the process that crashed with it. */
static void add_tail(struct run *guest, struct wire_bytes tail)
{
	static const char HEADING[] = "[the service's own output]\n";

	if (tail.length == 0)
		return;
	output_add(&guest->output, HEADING, sizeof(HEADING) - 1);
	output_add(&guest->output, tail.bytes, tail.length);
}

void guest_orphan(struct run *guest, enum run_reason reason, const char *crash,
		  struct wire_bytes tail)
{
	bool ended = judge_ended(guest);

	switch (reason) {
	case RUN_UNDISTURBED:
	case RUN_FAULTY:
	case RUN_RETIRED:
	case RUN_TIMED_OUT:
	case RUN_CANCELLED:
		add_tail(guest, tail);
		if (!ended)
			decide(guest, VERDICT_RETRY, "crashed: %s", crash);
		break;
	case RUN_HUNG:
		if (!ended)
			decide(guest, VERDICT_INTERRUPTED,
			       "interrupted: another job of its process hung");
		break;
	case RUN_STOPPED:
		if (!ended)
			decide(guest, VERDICT_INTERRUPTED, "%s", VERDICT_TEXT_STOPPED);
		break;
	case RUN_FENCED:
		if (!ended)
			decide(guest, VERDICT_INTERRUPTED, "%s", VERDICT_TEXT_FENCED);
		break;
	case RUN_LOST:
		guest->reason = RUN_LOST;
		break;
	}
	finish(guest);
}
