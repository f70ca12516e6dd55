#include "tests/support/wire_samples.h"

#include <string.h>

const struct uuid WIRE_SAMPLES_CLAIM = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
					   255 } };

struct wire_bytes wire_samples_text(const char *string)
{
	return (struct wire_bytes){ .bytes = string, .length = (uint32_t)strlen(string) };
}

struct wire_job wire_samples_job(int64_t id)
{
	return (struct wire_job){
		.id = id,
		.claim_id = WIRE_SAMPLES_CLAIM,
		.claim_seq = INT64_MAX,
		.life = 2,
		.attempt = 3,
		.timeout_ms = 60000,
		.queue = wire_samples_text("default"),
		.handler = wire_samples_text("thumb"),
		.payload = wire_samples_text("{\"a\": \"\xc3\xa4\"}"),
	};
}

struct wire_outcome wire_samples_outcome(int64_t id)
{
	return (struct wire_outcome){
		.id = id,
		.claim_id = WIRE_SAMPLES_CLAIM,
		.verdict = VERDICT_RETRY,
		.exit_code = -1,
		.signal = 9,
		.started_ms = 1,
		.ended_ms = INT64_MAX,
		.delay_ms = 60000,
		.result = wire_samples_text(""),
		.error = wire_samples_text("killed"),
	};
}

struct wire_hello wire_samples_hello(struct handler *handlers)
{
	static char program[] = "/bin/true";
	static char empty[] = "";
	static char variable[] = "A=b";
	static char *argv[] = { program, empty, NULL };
	static char *environment[] = { variable, NULL };
	static char name[] = "thumb";
	static char user[] = "nobody";
	static char agent[] = "main";

	handlers[0] = (struct handler){
		.name = name,
		.argv = argv,
		.environment = environment,
		.user = user,
		.timeout_ms = 5,
		.fence = HANDLER_FENCE_FINISH,
		.limits = { 1, 2, 3, 4, -1 },
		.kind = HANDLER_SERVICE,
		.concurrency = 16,
		.instances = 2,
		.max_jobs = 1000,
		.progress_timeout_ms = 7000,
	};
	handlers[1] = (struct handler){
		.name = name,
		.kind = HANDLER_PLUGIN,
		.directory = user,
		.path = program,
		.symbol = name,
		.function = user,
	};
	return (struct wire_hello){
		.agent = agent,
		.slots = 8,
		.kill_grace_ms = 5000,
		.handler_count = 2,
		.handlers = handlers,
	};
}
