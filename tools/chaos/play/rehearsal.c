#include "tools/chaos/play/rehearsal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { END_MS = 30000, SAID_SIZE = 160, OPEN_MODE = 0666, PAYLOAD_SIZE = 48 };

struct rehearsal {
	struct stage *stage;
	char payload[PATH_MAX];
	char effects[PATH_MAX]; /* of its own: the judge sees nothing of it */
	char output[PATH_MAX];
};

static int make_file(const char *path, const char *text, struct error *err)
{
	FILE *file = fopen(path, "we");

	if (file != NULL)
		fputs(text, file);
	if (file == NULL || fclose(file) != 0 || chmod(path, OPEN_MODE) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	return 0;
}

static int make_files(struct rehearsal *rehearsal, struct error *err)
{
	const struct stage *stage = rehearsal->stage;
	char payload[PAYLOAD_SIZE];

	snprintf(rehearsal->payload, PATH_MAX, "%s/rehearsal.json", stage->scratch);
	snprintf(rehearsal->effects, PATH_MAX, "%s/rehearsal.log", stage->scratch);
	snprintf(rehearsal->output, PATH_MAX, "%s/rehearsal.out", stage->scratch);
	snprintf(payload, sizeof(payload), "{\"work_us\": %" PRId64 "}",
		 stage->act->load.work_ms * INT64_C(1000));
	if (make_file(rehearsal->payload, payload, err) != 0 ||
	    make_file(rehearsal->effects, "", err) != 0)
		return -1;
	return make_file(rehearsal->output, "", err);
}

static int start(const struct rehearsal *rehearsal, pid_t *pid, struct error *err)
{
	static const char *const ENV[] = {
		"LOCUM_JOB_ID=1",
		"LOCUM_CLAIM_ID=00000000-0000-0000-0000-000000000000",
		"LOCUM_CLAIM_SEQ=1",
		"LOCUM_ATTEMPT=1",
		NULL,
	};
	struct stage *stage = rehearsal->stage;
	char witness[PATH_MAX];
	const char *const argv[] = {
		"/bin/sh",
		"-c",
		"exec \"$0\" \"$1\" -- \"$2\" < \"$3\"",
		stage_support(stage, "witness", witness, sizeof(witness)),
		rehearsal->effects,
		stage->plan->user_handler,
		rehearsal->payload,
		NULL,
	};
	const struct undo_spawn spawn = { .argv = argv,
					  .env = ENV,
					  .user = geteuid() == 0 ? getenv("SUDO_USER") : NULL,
					  .output = rehearsal->output };

	return undo_spawn(stage->undo, &spawn, pid, err);
}

/* The last line of what it said, or "". */
static void read_said(const struct rehearsal *rehearsal, char said[static SAID_SIZE])
{
	FILE *file = fopen(rehearsal->output, "re");
	char *line = NULL;
	size_t room = 0;

	said[0] = '\0';
	while (file != NULL && getline(&line, &room, file) > 0)
		if (line[strspn(line, " \t\r\n")] != '\0')
			snprintf(said, SAID_SIZE, ": %s", line);
	said[strcspn(said, "\r\n")] = '\0';
	free(line);
	if (file != NULL)
		fclose(file);
}

static int judge(const struct rehearsal *rehearsal, int status, struct error *err)
{
	const char *program = rehearsal->stage->plan->user_handler;
	char said[SAID_SIZE];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	read_said(rehearsal, said);
	if (WIFSIGNALED(status))
		return error_set(err, ERROR_INPUT,
				 "the handler %s ended by signal %d before any fault%s", program,
				 WTERMSIG(status), said);
	return error_set(err, ERROR_INPUT, "the handler %s exits with %d before any fault%s",
			 program, WEXITSTATUS(status), said);
}

int rehearsal_play(struct stage *stage, struct error *err)
{
	struct rehearsal rehearsal = { .stage = stage };
	char text[24];
	pid_t pid;
	int status = 0;
	int ended;

	if (stage->plan->user_handler == NULL)
		return 0;
	if (make_files(&rehearsal, err) != 0 || start(&rehearsal, &pid, err) != 0)
		return -1;
	ended = undo_wait(stage->undo, pid, END_MS, &status, err);
	if (ended < 0)
		return -1;
	if (ended == 1)
		return judge(&rehearsal, status, err);
	snprintf(text, sizeof(text), "%d", (int)pid);
	undo_now(stage->undo, UNDO_PROCESS, text, NULL);
	return error_set(err, ERROR_INPUT,
			 "the handler %s does not end within %d s before any fault",
			 stage->plan->user_handler, END_MS / 1000);
}
