#include "tools/locum/conformance.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tools/locum/rehearsal.h"

enum { TOGETHER = 10, LARGE = 1000, LOOK_AWAY_MS = 200, UNKNOWN_NOTICES = 4000 };

/* One rehearsal for each check: `steps` returns 0 or -1. */
typedef int steps(struct rehearsal *rehearsal, struct error *err);

static int rehearse(struct conformance *conformance, steps *play, struct error *err)
{
	struct rehearsal rehearsal;
	int status = rehearsal_greet(&rehearsal, conformance, err);

	if (status == 0)
		status = play(&rehearsal, err);
	rehearsal_end(&rehearsal);
	return status == 0 ? 1 : -1;
}

/* The same for one that is not greeted. */
static int surprise(struct conformance *conformance, steps *play, struct error *err)
{
	struct rehearsal rehearsal;
	int status = rehearsal_start(&rehearsal, conformance, err);

	if (status == 0)
		status = play(&rehearsal, err);
	rehearsal_end(&rehearsal);
	return status == 0 ? 1 : -1;
}

static int at_once(const struct rehearsal *rehearsal, int most)
{
	int concurrency = rehearsal->conformance->concurrency;

	return concurrency < most ? concurrency : most;
}

static int add_jobs(struct rehearsal *rehearsal, int count, struct error *err)
{
	for (int i = 0; i < count; i++) {
		if (rehearsal_job(rehearsal, NULL, NULL, err) != 0)
			return -1;
	}
	return 0;
}

static int write_and_await(struct rehearsal *rehearsal, struct error *err)
{
	if (rehearsal_write(rehearsal, err) != 0)
		return -1;
	return rehearsal_await(rehearsal, err);
}

static int run_one(struct rehearsal *rehearsal, const char *payload, const char *extra,
		   struct error *err)
{
	if (rehearsal_job(rehearsal, payload, extra, err) != 0)
		return -1;
	return write_and_await(rehearsal, err);
}

/* --- 1: beginning ------------------------------------------------------------------------------ */

static int check_initialize(struct conformance *conformance, struct error *err)
{
	struct rehearsal rehearsal;
	int status = rehearsal_greet(&rehearsal, conformance, err);

	rehearsal_end(&rehearsal);
	return status == 0 ? 1 : -1;
}

static int check_silence(struct conformance *conformance, struct error *err)
{
	return surprise(conformance, rehearsal_expect_silence, err);
}

/* --- 2: lines ---------------------------------------------------------------------------------- */

static int play_lines(struct rehearsal *rehearsal, struct error *err)
{
	if (run_one(rehearsal, NULL, NULL, err) != 0)
		return -1;
	return rehearsal_expect_silence(rehearsal, err);
}

static int check_lines(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_lines, err);
}

static int play_halves(struct rehearsal *rehearsal, struct error *err)
{
	size_t length;

	if (rehearsal_job(rehearsal, NULL, NULL, err) != 0)
		return -1;
	length = buffer_length(&rehearsal->orders);
	/* In the middle, and with nothing missing but the end of the line. */
	if (rehearsal_write_part(rehearsal, length / 2, err) != 0 ||
	    rehearsal_expect_silence(rehearsal, err) != 0 ||
	    rehearsal_write_part(rehearsal, length - length / 2 - 1, err) != 0 ||
	    rehearsal_expect_silence(rehearsal, err) != 0)
		return -1;
	return write_and_await(rehearsal, err);
}

static int check_halves(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_halves, err);
}

static int play_together(struct rehearsal *rehearsal, struct error *err)
{
	if (rpc_write_cancel(&rehearsal->orders, LARGE, "cancelled", err) != 0 ||
	    add_jobs(rehearsal, at_once(rehearsal, TOGETHER), err) != 0)
		return -1;
	return write_and_await(rehearsal, err);
}

static int check_together(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_together, err);
}

static int play_large(struct rehearsal *rehearsal, struct error *err)
{
	char *payload = malloc(LIMIT_PAYLOAD_BYTES + 1);
	int status;

	if (payload == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	memset(payload, 'x', LIMIT_PAYLOAD_BYTES);
	payload[0] = '"';
	payload[LIMIT_PAYLOAD_BYTES - 1] = '"';
	payload[LIMIT_PAYLOAD_BYTES] = '\0';
	status = run_one(rehearsal, payload, NULL, err);
	free(payload);
	/* And it has not lost its place. */
	return status == 0 ? run_one(rehearsal, NULL, NULL, err) : -1;
}

static int check_large(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_large, err);
}

/* The host looks away: nothing is read until the service has had time to answer, or to be stuck. */
static int play_slow(struct rehearsal *rehearsal, struct error *err)
{
	if (add_jobs(rehearsal, at_once(rehearsal, TOGETHER), err) != 0 ||
	    rehearsal_write(rehearsal, err) != 0 ||
	    subject_look_away(&rehearsal->subject, LOOK_AWAY_MS, err) != 0)
		return -1;
	return rehearsal_await(rehearsal, err);
}

static int check_slow(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_slow, err);
}

/* --- 3: jobs ----------------------------------------------------------------------------------- */

static int play_many(struct rehearsal *rehearsal, struct error *err)
{
	for (int round = 0; round < TOGETHER; round++) {
		if (add_jobs(rehearsal, at_once(rehearsal, TOGETHER), err) != 0 ||
		    write_and_await(rehearsal, err) != 0)
			return -1;
	}
	return rehearsal_expect_silence(rehearsal, err);
}

static int check_many(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_many, err);
}

static int play_concurrency(struct rehearsal *rehearsal, struct error *err)
{
	if (add_jobs(rehearsal, at_once(rehearsal, LARGE), err) != 0)
		return -1;
	return write_and_await(rehearsal, err);
}

static int check_concurrency(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_concurrency, err);
}

static int play_payloads(struct rehearsal *rehearsal, struct error *err)
{
	static const char *const PAYLOADS[] = {
		"{}",
		"[]",
		"null",
		"true",
		"-1.5e300",
		"12345678901234567890123",
		"\"\"",
		"\"}}\\u0000\\ud83d\\ude00 \xc3\xa4\\\"\\\\\"",
		"{ \"id\" : 99 ,\"payload\": {\"method\":\"ping\"}  }",
		"[[[[[[[[[[[[[[[[{\"a\":[]}]]]]]]]]]]]]]]]]",
	};

	for (size_t i = 0; i < sizeof(PAYLOADS) / sizeof(PAYLOADS[0]); i++) {
		if (run_one(rehearsal, PAYLOADS[i], NULL, err) != 0)
			return error_prefix(err, "payload %s", PAYLOADS[i]);
	}
	return 0;
}

static int check_payloads(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_payloads, err);
}

static int play_members(struct rehearsal *rehearsal, struct error *err)
{
	return run_one(rehearsal, NULL, "\"later\":{\"payload\":[1]},", err);
}

static int check_members(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_members, err);
}

static int play_cancel(struct rehearsal *rehearsal, struct error *err)
{
	struct buffer *orders = &rehearsal->orders;

	if (rpc_write_cancel(orders, 1, "cancelled", err) != 0 ||
	    rehearsal_job(rehearsal, NULL, NULL, err) != 0 ||
	    rpc_write_cancel(orders, 1, "timeout", err) != 0 ||
	    write_and_await(rehearsal, err) != 0 || rpc_write_cancel(orders, 1, "lost", err) != 0)
		return -1;
	if (rehearsal_write(rehearsal, err) != 0 || rehearsal_expect_silence(rehearsal, err) != 0)
		return -1;
	return run_one(rehearsal, NULL, NULL, err);
}

static int check_cancel(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_cancel, err);
}

static int play_notices(struct rehearsal *rehearsal, struct error *err)
{
	if (rehearsal_say(rehearsal, "{\"jsonrpc\":\"2.0\",\"method\":\"host.later\"}", err) != 0 ||
	    rehearsal_say(rehearsal,
			  "{\"jsonrpc\":\"2.0\",\"method\":\"host.later\",\"params\":[1]}",
			  err) != 0 ||
	    rehearsal_write(rehearsal, err) != 0 || rehearsal_expect_silence(rehearsal, err) != 0)
		return -1;
	return run_one(rehearsal, NULL, NULL, err);
}

static int check_notices(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_notices, err);
}

/* --- 4: life ----------------------------------------------------------------------------------- */

static int play_ping(struct rehearsal *rehearsal, struct error *err)
{
	for (int i = 0; i < 2; i++) {
		if (rpc_write_ping(&rehearsal->orders, err) != 0 ||
		    rehearsal_write(rehearsal, err) != 0 ||
		    rehearsal_await_ping(rehearsal, err) != 0)
			return -1;
	}
	return run_one(rehearsal, NULL, NULL, err);
}

static int check_ping(struct conformance *conformance, struct error *err)
{
	if (conformance->known && !conformance->pings)
		return 0;
	return rehearse(conformance, play_ping, err);
}

/* More than a pipe takes, while it has no job. */
static int play_reading(struct rehearsal *rehearsal, struct error *err)
{
	if (run_one(rehearsal, NULL, NULL, err) != 0)
		return -1;
	for (int i = 0; i < UNKNOWN_NOTICES; i++) {
		if (rehearsal_say(rehearsal, "{\"jsonrpc\":\"2.0\",\"method\":\"host.later\"}",
				  err) != 0)
			return -1;
	}
	if (rehearsal_write(rehearsal, err) != 0)
		return -1;
	return run_one(rehearsal, NULL, NULL, err);
}

static int check_reading(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_reading, err);
}

/* --- 5: end ------------------------------------------------------------------------------------ */

static int play_shutdown(struct rehearsal *rehearsal, struct error *err)
{
	if (run_one(rehearsal, NULL, NULL, err) != 0)
		return -1;
	return rehearsal_finish(rehearsal, err);
}

static int check_shutdown(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_shutdown, err);
}

static int close_and_await_exit(struct rehearsal *rehearsal, struct error *err)
{
	subject_close_orders(&rehearsal->subject);
	return rehearsal_await_exit(rehearsal, err);
}

static int check_early_end(struct conformance *conformance, struct error *err)
{
	return surprise(conformance, close_and_await_exit, err);
}

static int play_torn_end(struct rehearsal *rehearsal, struct error *err)
{
	if (rehearsal_job(rehearsal, NULL, NULL, err) != 0 ||
	    rehearsal_write_part(rehearsal, buffer_length(&rehearsal->orders) / 2, err) != 0)
		return -1;
	return close_and_await_exit(rehearsal, err);
}

static int check_torn_end(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_torn_end, err);
}

static int play_busy_end(struct rehearsal *rehearsal, struct error *err)
{
	if (add_jobs(rehearsal, at_once(rehearsal, TOGETHER), err) != 0 ||
	    rehearsal_write(rehearsal, err) != 0)
		return -1;
	return close_and_await_exit(rehearsal, err);
}

static int check_busy_end(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_busy_end, err);
}

static int play_no_reader(struct rehearsal *rehearsal, struct error *err)
{
	subject_close_answers(&rehearsal->subject);
	if (rehearsal_job(rehearsal, NULL, NULL, err) != 0 || rehearsal_write(rehearsal, err) != 0)
		return -1;
	return subject_await_exit(&rehearsal->subject, rehearsal->conformance->timeout_ms, err);
}

static int check_no_reader(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_no_reader, err);
}

static int play_sigterm(struct rehearsal *rehearsal, struct error *err)
{
	kill(rehearsal->subject.pid, SIGTERM);
	return rehearsal_await_exit(rehearsal, err);
}

static int check_sigterm(struct conformance *conformance, struct error *err)
{
	return rehearse(conformance, play_sigterm, err);
}

const struct conformance_rule conformance_rules[] = {
	{ "1.1", "answers initialize", check_initialize },
	{ "1.2", "writes nothing before it was asked", check_silence },
	{ "2.1", "writes lines of the protocol only", check_lines },
	{ "2.2", "waits for the end of a line", check_halves },
	{ "2.3", "obeys orders that come together", check_together },
	{ "2.4", "takes a payload of 1 MiB", check_large },
	{ "2.5", "keeps its answers until they are read", check_slow },
	{ "3.1", "answers each job exactly once", check_many },
	{ "3.2", "takes as many jobs at once as it says", check_concurrency },
	{ "3.3", "answers whatever the payload is", check_payloads },
	{ "3.4", "ignores members that it does not know", check_members },
	{ "3.5", "takes job.cancel without an answer", check_cancel },
	{ "3.6", "ignores notifications that it does not know", check_notices },
	{ "4.1", "answers pings if it says so", check_ping },
	{ "4.2", "reads its orders while it has no job", check_reading },
	{ "5.1", "exits with code 0 after shutdown", check_shutdown },
	{ "5.2", "exits when its orders end before initialize", check_early_end },
	{ "5.3", "exits when its orders end in the middle of a line", check_torn_end },
	{ "5.4", "exits when its orders end while it has jobs", check_busy_end },
	{ "5.5", "exits when nobody reads its answers any more", check_no_reader },
	{ "5.6", "exits on SIGTERM", check_sigterm },
};
const size_t conformance_rule_count = sizeof(conformance_rules) / sizeof(conformance_rules[0]);
