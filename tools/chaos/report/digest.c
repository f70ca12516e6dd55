#include "tools/chaos/report/digest.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/chaos/history/array.h"
#include "tools/chaos/history/history.h"

/* --- what the nemesis wrote --------------------------------------------------------------------- */

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_RETRY, "out of memory");
}

static struct digest_bout *bout_of(struct digest_act *act, const char *number)
{
	for (size_t i = 0; i < act->bout_count; i++)
		if (act->bouts[i].number == strtol(number, NULL, 10))
			return &act->bouts[i];
	return NULL;
}

static int add_bout(struct digest_act *act, int64_t at_us, char **words, size_t count,
		    struct error *err)
{
	struct digest_bout *bout = array_grow(&act->bouts, &act->bout_count, sizeof(*bout));

	if (bout == NULL)
		return out_of_memory(err);
	bout->number = (int)strtol(words[1], NULL, 10);
	bout->injected_us = at_us;
	bout->healed_us = DIGEST_NO_TIME;
	bout->settled_us = DIGEST_NO_TIME;
	bout->fault = strdup(words[2]);
	bout->target = strdup(count > 3 && strcmp(words[3], "-1") != 0 ? words[3] : "");
	return bout->fault == NULL || bout->target == NULL ? out_of_memory(err) : 0;
}

static int add_skip(struct digest_act *act, char **words, size_t count, struct error *err)
{
	struct digest_skip *skip = array_grow(&act->skips, &act->skip_count, sizeof(*skip));

	if (skip == NULL)
		return out_of_memory(err);
	skip->fault = strdup(words[1]);
	skip->reason = strdup(count > 2 ? words[2] : "");
	return skip->fault == NULL || skip->reason == NULL ? out_of_memory(err) : 0;
}

/* Keeps the first text of its kind. */
static int keep_text(char **text, char **words, size_t count, struct error *err)
{
	if (*text == NULL)
		*text = strdup(count > 2 ? words[2] : "");
	return *text == NULL ? out_of_memory(err) : 0;
}

static int take_record(struct digest_act *act, int64_t at_us, char **words, size_t count,
		       struct error *err)
{
	struct digest_bout *bout = count > 1 ? bout_of(act, words[1]) : NULL;
	const char *kind = words[0];

	if (act->began_us == DIGEST_NO_TIME)
		act->began_us = at_us;
	act->ended_us = at_us;
	if (strcmp(kind, "inject") == 0 && count > 2)
		return add_bout(act, at_us, words, count, err);
	if (strcmp(kind, "skip") == 0 && count > 1)
		return add_skip(act, words, count, err);
	if (bout == NULL)
		return 0;
	if (strcmp(kind, "heal") == 0) {
		bout->healed_us = at_us;
	} else if (strcmp(kind, "settled") == 0) {
		bout->settled_us = at_us;
	} else if (strcmp(kind, "witness") == 0) {
		bout->witnesses++;
		return keep_text(&bout->witness, words, count, err);
	} else if (strcmp(kind, "broken") == 0) {
		return keep_text(&bout->broken, words, count, err);
	}
	return 0;
}

/* A log that is cut is read as far as it goes: the verdict says that it is. */
static int read_nemesis(struct digest_act *act, struct error *err)
{
	struct error cut = { ERROR_NONE, "", "" };
	struct history_reader *reader = history_reader_open(act->folder, "nemesis.log", &cut);
	int64_t at_us;
	char **words;
	size_t count;
	int status = 0;

	if (reader == NULL)
		return 0;
	while (status == 0 && history_reader_next(reader, &at_us, &words, &count, &cut) == 1)
		status = take_record(act, at_us, words, count, err);
	history_reader_close(reader);
	return status;
}

/* --- acts --------------------------------------------------------------------------------------- */

static const char *base_of(const char *folder)
{
	const char *slash = strrchr(folder, '/');

	return slash == NULL ? folder : slash + 1;
}

/* "NN-NAME" */
static int is_act(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return isdigit((unsigned char)name[0]) && isdigit((unsigned char)name[1]) &&
	       strchr(name, '-') != NULL;
}

static void judge_unjudged(struct digest_act *act)
{
	act->verdict.valid = VERDICT_UNKNOWN;
	snprintf(act->verdict.why, sizeof(act->verdict.why), "the act \"%s\" was not judged",
		 act->name);
}

static bool read_judged(struct verdict *verdict, const struct verdict *judged, const char *folder)
{
	struct error missing = { ERROR_NONE, "", "" };

	if (judged != NULL)
		*verdict = *judged;
	return judged != NULL || verdict_read(verdict, folder, &missing) == 0;
}

/* Its folder becomes the digest's. */
static int read_act(struct digest *digest, char *folder, const struct verdict_run *judged,
		    struct error *err)
{
	const char *entry = folder == NULL ? "" : base_of(folder);
	struct digest_act *act = array_grow(&digest->acts, &digest->act_count, sizeof(*act));
	struct error missing = { ERROR_NONE, "", "" };

	if (act == NULL || folder == NULL) {
		free(folder);
		return out_of_memory(err);
	}
	act->folder = folder;
	act->began_us = DIGEST_NO_TIME;
	act->ended_us = DIGEST_NO_TIME;
	act->facts = facts_read(act->folder, "act", &missing);
	act->name = strdup(facts_text(act->facts, "name")[0] != '\0'
				   ? facts_text(act->facts, "name")
				   : entry + strspn(entry, "0123456789-"));
	if (act->name == NULL)
		return out_of_memory(err);
	act->judged = read_judged(&act->verdict, verdict_of_act(judged, entry), act->folder);
	if (!act->judged)
		judge_unjudged(act);
	return read_nemesis(act, err);
}

static char *path_of(const char *folder, const char *entry)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", folder, entry) < 0 ? NULL : path;
}

static int read_acts(struct digest *digest, const struct verdict_run *judged, struct error *err)
{
	struct dirent **entries = NULL;
	int count = scandir(digest->folder, &entries, is_act, versionsort);
	int status = 0;

	if (count < 0)
		return error_set_errno(err, ERROR_INPUT, errno, "%s", digest->folder);
	for (int i = 0; i < count; i++) {
		if (status == 0)
			status = read_act(digest, path_of(digest->folder, entries[i]->d_name),
					  judged, err);
		free(entries[i]);
	}
	free(entries);
	return status;
}

/* A run that was cut off has left no verdict of the whole. */
static void read_verdict(struct digest *digest, const struct verdict_run *judged)
{
	digest->judged = read_judged(&digest->verdict, judged == NULL ? NULL : &judged->whole,
				     digest->folder);
	if (digest->judged)
		return;
	memset(&digest->verdict, 0, sizeof(digest->verdict));
	for (size_t i = 0; i < digest->act_count; i++)
		verdict_add(&digest->verdict, &digest->acts[i].verdict);
	if (digest->verdict.valid != VERDICT_VALID)
		return;
	digest->verdict.valid = VERDICT_UNKNOWN;
	snprintf(digest->verdict.why, sizeof(digest->verdict.why), "the run was cut off");
}

static bool is_lone_act(const struct digest *digest)
{
	char *path = path_of(digest->folder, "act");
	bool found = path != NULL && access(path, R_OK) == 0;

	free(path);
	return digest->act_count == 0 && digest->facts == NULL && found;
}

struct digest *digest_open(const char *folder, const struct verdict_run *judged, struct error *err)
{
	struct digest *digest = calloc(1, sizeof(*digest));
	struct error missing = { ERROR_NONE, "", "" };

	if (digest == NULL || (digest->folder = strdup(folder)) == NULL) {
		out_of_memory(err);
		goto fail;
	}
	digest->facts = facts_read(folder, "run", &missing);
	if (read_acts(digest, judged, err) != 0)
		goto fail;
	if (is_lone_act(digest) && read_act(digest, strdup(folder), judged, err) != 0)
		goto fail;
	if (digest->facts == NULL && digest->act_count == 0) {
		error_set(err, ERROR_INPUT, "%s holds no run of locum chaos", folder);
		goto fail;
	}
	read_verdict(digest, judged);
	return digest;
fail:
	digest_close(digest);
	return NULL;
}

static void free_act(struct digest_act *act)
{
	for (size_t i = 0; i < act->bout_count; i++) {
		free(act->bouts[i].fault);
		free(act->bouts[i].target);
		free(act->bouts[i].witness);
		free(act->bouts[i].broken);
	}
	for (size_t i = 0; i < act->skip_count; i++) {
		free(act->skips[i].fault);
		free(act->skips[i].reason);
	}
	free(act->bouts);
	free(act->skips);
	facts_free(act->facts);
	free(act->folder);
	free(act->name);
}

void digest_close(struct digest *digest)
{
	if (digest == NULL)
		return;
	for (size_t i = 0; i < digest->act_count; i++)
		free_act(&digest->acts[i]);
	free(digest->acts);
	facts_free(digest->facts);
	free(digest->folder);
	free(digest);
}
