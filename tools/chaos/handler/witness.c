/* The harness's handler as a plugin. CHAOS_EFFECTS in the handler's environment is the effect log. */
#include <locum.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/chaos/handler/effect.h"

int witness(struct locum_job *job);
int witness_transaction(struct locum_job *job);

static bool is_cancelled(void *job)
{
	return locum_job_cancelled(job);
}

static int work(struct locum_job *job, const struct effect *effect, struct error *err)
{
	struct effect_payload payload;
	struct json_span text;

	if (effect_write(effect, "begin", err) != 0)
		return -1;
	text.bytes = locum_job_payload(job, &text.length);
	effect_read(text, &payload);
	effect_work(effect, payload.fail[0] == 'h' ? INT64_MAX / 2 : payload.work_us, is_cancelled,
		    job);
	return effect_write(effect, "end", err) == 0 ? effect_fail(payload.fail) : -1;
}

int witness(struct locum_job *job)
{
	const char *path = getenv("CHAOS_EFFECTS");
	struct error err = { 0 };
	struct effect effect;
	char id[24];
	char seq[24];
	int status;

	snprintf(id, sizeof(id), "%lld", (long long)locum_job_id(job));
	snprintf(seq, sizeof(seq), "%lld", (long long)locum_job_claim_seq(job));
	if (path == NULL)
		return locum_job_fail(job, LOCUM_FAIL, "CHAOS_EFFECTS is not set");
	if (effect_open(&effect, path, id, locum_job_claim(job), seq, &err) != 0)
		return locum_job_fail(job, LOCUM_RETRY, err.text);
	status = work(job, &effect, &err);
	effect_close(&effect);
	if (status < 0)
		return locum_job_fail(job, LOCUM_RETRY, err.text);
	if (locum_job_cancelled(job))
		return locum_job_fail(job, LOCUM_RETRY, "cancelled");
	return status == 0 ? LOCUM_DONE : locum_job_fail(job, LOCUM_FAIL, "as it was told");
}

/* The same, done with its job or not at all. The host knows why there is no connection. */
int witness_transaction(struct locum_job *job)
{
	return locum_job_connection(job) == NULL ? LOCUM_RETRY : witness(job);
}
