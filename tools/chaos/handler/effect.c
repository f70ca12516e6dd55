#include "tools/chaos/handler/effect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_SIZE = 256, SWELL_PIECES = 256, SWELL_PIECE = 1 << 20, SWELL_PAGE = 4096 };

int64_t effect_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- payloads ----------------------------------------------------------------------------------- */

static int64_t read_time(struct json_span value, int64_t unit_us)
{
	int64_t number;

	if (value.bytes == NULL || !json_scan_int(value, &number) || number < 0 ||
	    number > INT64_MAX / unit_us)
		return 0;
	return number * unit_us;
}

void effect_read(struct json_span text, struct effect_payload *payload)
{
	struct json_member members[] = { { .name = "work_us" },
					 { .name = "work_ms" },
					 { .name = "fail" } };
	struct json_span fail;

	*payload = (struct effect_payload){ 0 };
	if (json_scan_object(text, members, sizeof(members) / sizeof(members[0]), NULL) != 0)
		return;
	payload->work_us = read_time(members[0].value, 1) + read_time(members[1].value, 1000);
	fail = members[2].value;
	if (fail.bytes != NULL && json_scan_is_text(fail))
		snprintf(payload->fail, sizeof(payload->fail), "%.*s", (int)(fail.length - 2),
			 fail.bytes + 1);
}

/* Memory counts when it is written. */
static void swell(void)
{
	for (int i = 0; i < SWELL_PIECES; i++) {
		volatile char *piece = malloc(SWELL_PIECE);

		for (size_t at = 0; piece != NULL && at < (size_t)SWELL_PIECE; at += SWELL_PAGE)
			piece[at] = 1;
	}
}

int effect_fail(const char *fail)
{
	sigset_t none;
	int number = 0;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	if (strcmp(fail, "segfault") == 0)
		raise(SIGSEGV);
	else if (strcmp(fail, "swell") == 0)
		swell();
	else if (sscanf(fail, "signal %d", &number) == 1)
		raise(number);
	else if (sscanf(fail, "exit %d", &number) == 1)
		return number;
	return 0;
}

/* --- runs --------------------------------------------------------------------------------------- */

int effect_open(struct effect *effect, const char *path, const char *job, const char *claim,
		const char *seq, struct error *err)
{
	snprintf(effect->run, sizeof(effect->run), "%s %s %s %d", job, claim, seq, (int)getpid());
	effect->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (effect->fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot open %s", path);
	return 0;
}

void effect_close(struct effect *effect)
{
	close(effect->fd);
	effect->fd = -1;
}

int effect_write(const struct effect *effect, const char *kind, struct error *err)
{
	char record[RECORD_SIZE];
	int length = snprintf(record, sizeof(record), "%lld %s %s\n", (long long)effect_now_us(),
			      kind, effect->run);

	if (write(effect->fd, record, (size_t)length) != length)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write the effect log");
	return 0;
}

void effect_work(const struct effect *effect, int64_t work_us, bool (*ends)(void *context),
		 void *context)
{
	const int64_t beat_us = (int64_t)EFFECT_BEAT_MS * 1000;
	int64_t end_us = effect_now_us() + work_us;
	int64_t left_us;

	while ((left_us = end_us - effect_now_us()) > 0 && (ends == NULL || !ends(context))) {
		int64_t pause_us = left_us < beat_us ? left_us : beat_us;
		const struct timespec pause = { .tv_sec = 0, .tv_nsec = pause_us * 1000 };

		ppoll(NULL, 0, &pause, NULL);
		if (left_us > beat_us)
			effect_write(effect, "beat", NULL);
	}
}
