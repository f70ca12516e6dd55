/* A plugin that says how long ago its job was submitted: the payload's "at" is CLOCK_MONOTONIC in nanoseconds. */
#include <locum.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int stamp(struct locum_job *job);

int stamp(struct locum_job *job)
{
	static const char NAME[] = "\"at\": ";
	struct timespec now;
	const char *at;
	char result[32];
	int length;

	clock_gettime(CLOCK_MONOTONIC, &now);
	at = strstr(locum_job_payload(job, NULL), NAME);
	if (at == NULL)
		return locum_job_fail(job, LOCUM_FAIL, "the payload has no \"at\"");
	length = snprintf(result, sizeof(result), "%lld",
			  ((long long)now.tv_sec * 1000000000 + now.tv_nsec -
			   strtoll(at + strlen(NAME), NULL, 10)) /
				  1000);
	return locum_job_result(job, result, (size_t)length) == 0 ? LOCUM_DONE : LOCUM_FAIL;
}
