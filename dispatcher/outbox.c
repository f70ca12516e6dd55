#include "dispatcher/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "dispatcher/policy.h"

enum { PAUSE_FIRST_MS = 20, PAUSE_MOST_MS = 1000 };

struct outbox {
	struct ended *first;
	struct ended *last;
	size_t count;
	struct outbox_batch *batches; /* the oldest first */
	struct ended *held_up;        /* not in line until they are due */
	uint64_t accepted;            /* how many the database took, ever */
};

struct outbox *outbox_open(void)
{
	return calloc(1, sizeof(struct outbox));
}

static void ended_free(struct ended *ended)
{
	free(ended->result);
	free(ended->error);
	free(ended->log);
	free(ended);
}

void outbox_close(struct outbox *outbox)
{
	if (outbox == NULL)
		return;
	outbox_clear(outbox);
	free(outbox);
}

static void append(struct outbox *outbox, struct ended *ended)
{
	ended->next = NULL;
	if (outbox->last == NULL)
		outbox->first = ended;
	else
		outbox->last->next = ended;
	outbox->last = ended;
	outbox->count++;
}

/* Puts those whose pause is over into the line. */
static void resume(struct outbox *outbox, int64_t now_ms)
{
	struct ended **link = &outbox->held_up;

	while (*link != NULL) {
		struct ended *ended = *link;

		if (ended->due_ms > now_ms) {
			link = &ended->next;
			continue;
		}
		*link = ended->next;
		append(outbox, ended);
	}
}

static struct ended *take_first(struct outbox *outbox)
{
	struct ended *ended = outbox->first;

	outbox->first = ended->next;
	if (outbox->first == NULL)
		outbox->last = NULL;
	outbox->count--;
	return ended;
}

/* Copies bytes into *copy; absent bytes stay NULL. */
static int copy_bytes(struct wire_bytes bytes, size_t limit, char **copy, size_t *length)
{
	*length = bytes.length > limit ? limit : bytes.length;
	*copy = NULL;
	/* Half a character is no valid text, and the server would refuse it. */
	while (*length<bytes.length && * length> 0 &&
	       ((unsigned char)bytes.bytes[*length] & 0xc0) == 0x80)
		--*length;
	if (bytes.bytes == NULL)
		return 0;
	*copy = malloc(*length + 1);
	if (*copy == NULL)
		return -1;
	memcpy(*copy, bytes.bytes, *length);
	(*copy)[*length] = '\0';
	return 0;
}

/* What would go on ends when somebody asked for it. The database sees to that itself, unless it could not note the wish
 * because the run's own transaction held the job. */
static const char *settled_outcome(const struct holding *holding, const char *outcome)
{
	bool ends = strcmp(outcome, "completed") == 0 || strcmp(outcome, "failed") == 0;

	return holding->cancelled && !ends ? "cancelled" : outcome;
}

/* The wish for its end is noted in the job's row. */
static struct row_place place_of(const struct holding *holding)
{
	return holding->cancelled ? ROW_PLACE_UNKNOWN : holding->place;
}

int outbox_add(struct outbox *outbox, const struct holding *holding,
	       const struct wire_outcome *outcome, struct error *err)
{
	struct ended *ended = calloc(1, sizeof(*ended));

	if (ended == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for an outcome");
	ended->id = holding->id;
	ended->claim_id = holding->claim_id;
	ended->place = place_of(holding);
	ended->outcome = settled_outcome(
		holding, policy_outcome(outcome->verdict, holding->attempt, holding->max_attempts));
	ended->unstored = settled_outcome(
		holding, policy_outcome(VERDICT_RETRY, holding->attempt, holding->max_attempts));
	ended->started_ms = outcome->started_ms;
	ended->delay_ms = outcome->delay_ms;
	if (copy_bytes(outcome->result, LIMIT_RESULT_BYTES, &ended->result,
		       &ended->result_length) != 0 ||
	    copy_bytes(outcome->error, LIMIT_ERROR_BYTES, &ended->error, &ended->error_length) !=
		    0 ||
	    copy_bytes(outcome->log, LIMIT_LOG_BYTES * 4, &ended->log, &ended->log_length) != 0) {
		ended_free(ended);
		return error_set(err, ERROR_RETRY, "out of memory for an outcome");
	}
	append(outbox, ended);
	return 0;
}

int outbox_add_plain(struct outbox *outbox, const struct holding *holding, const char *outcome,
		     const char *error, struct error *err)
{
	struct ended *ended = calloc(1, sizeof(*ended));

	if (ended != NULL && error != NULL)
		ended->error = strdup(error);
	if (ended == NULL || (error != NULL && ended->error == NULL)) {
		free(ended);
		return error_set(err, ERROR_RETRY, "out of memory for an outcome");
	}
	ended->id = holding->id;
	ended->claim_id = holding->claim_id;
	ended->place = place_of(holding);
	ended->outcome = settled_outcome(holding, outcome);
	ended->error_length = error == NULL ? 0 : strlen(error);
	ended->started_ms = holding->started_ms;
	append(outbox, ended);
	return 0;
}

size_t outbox_count(const struct outbox *outbox)
{
	return outbox->count;
}

int64_t outbox_due_ms(const struct outbox *outbox)
{
	int64_t due_ms = INT64_MAX;

	for (const struct ended *ended = outbox->held_up; ended != NULL; ended = ended->next)
		if (ended->due_ms < due_ms)
			due_ms = ended->due_ms;
	return due_ms;
}

static struct outbox_batch *find_unsent(const struct outbox *outbox)
{
	struct outbox_batch *batch = outbox->batches;

	while (batch != NULL && batch->sent)
		batch = batch->next;
	return batch;
}

bool outbox_has_due(const struct outbox *outbox, int64_t now_ms)
{
	return find_unsent(outbox) != NULL || outbox_due_ms(outbox) <= now_ms;
}

static int by_id(const void *a, const void *b)
{
	const struct ended *const *left = a;
	const struct ended *const *right = b;

	return ((*left)->id > (*right)->id) - ((*left)->id < (*right)->id);
}

static size_t ended_bytes(const struct ended *ended)
{
	return ended->result_length + ended->error_length + ended->log_length;
}

/* How many of the first in line make a batch. What was sent before goes with its like: an earlier sending whose
 * answer was lost may be carried out yet, and only its own receipt tells of it. */
static size_t batch_size(const struct outbox *outbox)
{
	size_t bytes = 0;
	size_t count = 0;

	for (const struct ended *e = outbox->first; e != NULL && count < LIMIT_COMPLETION_JOBS;
	     e = e->next) {
		if (!uuid_same(e->completion_id, outbox->first->completion_id) ||
		    (count > 0 && (e->alone || outbox->first->alone)))
			break;
		bytes += ended_bytes(e);
		if (count > 0 && bytes > LIMIT_COMPLETION_BYTES)
			break;
		count++;
	}
	return count;
}

static void add_batch(struct outbox *outbox, struct outbox_batch *batch)
{
	struct outbox_batch **end = &outbox->batches;

	while (*end != NULL)
		end = &(*end)->next;
	*end = batch;
}

static struct outbox_batch *make_batch(struct outbox *outbox, size_t count, struct error *err)
{
	struct outbox_batch *batch = calloc(1, sizeof(*batch));

	if (batch != NULL)
		batch->ended = calloc(count, sizeof(struct ended *));
	if (batch == NULL || batch->ended == NULL) {
		free(batch);
		error_set(err, ERROR_RETRY, "out of memory for a completion");
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		batch->ended[i] = take_first(outbox);
		batch->skip = batch->skip || batch->ended[i]->held_up > 0;
	}
	batch->shared = !uuid_is_none(batch->ended[0]->completion_id);
	batch->count = count;
	batch->completion_id = batch->shared ? batch->ended[0]->completion_id : uuid_make();
	qsort(batch->ended, count, sizeof(struct ended *), by_id);
	add_batch(outbox, batch);
	return batch;
}

struct outbox_batch *outbox_send(struct outbox *outbox, int64_t now_ms, struct error *err)
{
	struct outbox_batch *batch = find_unsent(outbox);
	size_t count;

	if (batch == NULL) {
		resume(outbox, now_ms);
		count = batch_size(outbox);
		batch = count == 0 ? NULL : make_batch(outbox, count, err);
	}
	if (batch != NULL)
		batch->sent = true;
	return batch;
}

void outbox_unsent(struct outbox_batch *batch)
{
	batch->sent = false;
}

static void batch_free(struct outbox_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->ended[i] != NULL)
			ended_free(batch->ended[i]);
	free(batch->ended);
	free(batch);
}

void outbox_settle(struct outbox *outbox, struct outbox_batch *batch)
{
	struct outbox_batch **link = &outbox->batches;

	while (*link != batch)
		link = &(*link)->next;
	*link = batch->next;
	batch_free(batch);
}

static bool list_has(const struct ended *list, struct uuid completion_id)
{
	for (; list != NULL; list = list->next)
		if (uuid_same(list->completion_id, completion_id))
			return true;
	return false;
}

bool outbox_is_open(const struct outbox *outbox, struct uuid completion_id)
{
	for (const struct outbox_batch *batch = outbox->batches; batch != NULL; batch = batch->next)
		if (uuid_same(batch->completion_id, completion_id))
			return true;
	return list_has(outbox->first, completion_id) || list_has(outbox->held_up, completion_id);
}

void outbox_again(struct outbox *outbox, struct outbox_batch *batch, size_t i, int64_t now_ms)
{
	struct ended *ended = batch->ended[i];
	int64_t pause_ms = PAUSE_MOST_MS;

	if (ended->held_up < 16 && (int64_t)PAUSE_FIRST_MS << ended->held_up < PAUSE_MOST_MS)
		pause_ms = (int64_t)PAUSE_FIRST_MS << ended->held_up;
	ended->held_up++;
	ended->completion_id = batch->completion_id;
	batch->shared = true;
	ended->due_ms = now_ms + pause_ms;
	ended->next = outbox->held_up;
	outbox->held_up = ended;
	batch->ended[i] = NULL;
}

/* Leaves the first half in the batch. */
static void halve(struct outbox *outbox, struct outbox_batch *batch)
{
	size_t half = batch->count / 2;

	batch->shared = true;
	for (size_t i = half; i < batch->count; i++) {
		batch->ended[i]->completion_id = batch->completion_id;
		batch->ended[i]->held_up += batch->skip && batch->ended[i]->held_up == 0;
		append(outbox, batch->ended[i]);
	}
	batch->count = half;
}

void outbox_hold_up(struct outbox *outbox, struct outbox_batch *batch, int64_t now_ms)
{
	batch->sent = false;
	if (!batch->skip) {
		batch->skip = true;
	} else if (batch->count > 1) {
		halve(outbox, batch);
	} else {
		outbox_again(outbox, batch, 0, now_ms);
		outbox_settle(outbox, batch);
	}
}

/* Puts an error in the place of all that the run left. */
static int replace_texts(struct ended *ended, const char *prefix, const char *reason,
			 struct error *err)
{
	char *error;
	int length = asprintf(&error, "%s%s", prefix, reason);

	if (length < 0)
		return error_set(err, ERROR_RETRY, "out of memory for an outcome");
	free(ended->result);
	free(ended->error);
	free(ended->log);
	ended->result = NULL;
	ended->log = NULL;
	ended->result_length = 0;
	ended->log_length = 0;
	ended->error = error;
	ended->error_length = (size_t)length;
	return 0;
}

/* The one job of a batch whose values the server refused. */
static int blame(struct ended *ended, const char *reason, struct error *err)
{
	bool retries = strcmp(ended->outcome, "retry") == 0 ||
		       strcmp(ended->outcome, "snooze") == 0;

	if (ended->blamed && !retries)
		return error_set(err, ERROR_INPUT, "%s", reason);
	if (replace_texts(ended, "the database refused the outcome: ", reason, err) != 0)
		return -1;
	if (strcmp(ended->outcome, "completed") == 0 || (ended->blamed && retries))
		ended->outcome = "failed";
	ended->blamed = true;
	return 0;
}

int outbox_bisect(struct outbox *outbox, struct outbox_batch *batch, const char *reason,
		  struct error *err)
{
	batch->sent = false;
	if (batch->count > 1) {
		halve(outbox, batch);
		return 0;
	}
	return blame(batch->ended[0], reason, err);
}

/* The one job of a batch that failed too often. What failed is sent on: nothing else can become of it. */
static void give_up(struct ended *ended, const char *why, const char *reason)
{
	if (strcmp(ended->outcome, "completed") == 0 &&
	    replace_texts(ended, why, reason, NULL) == 0)
		ended->outcome = ended->unstored;
}

/* It goes alone from now on, and has all its tries yet. */
static void set_apart(struct ended *ended)
{
	ended->alone = true;
	ended->conflicts = 1;
}

static void take_apart(struct outbox *outbox, struct outbox_batch *batch)
{
	if (batch->count <= 3)
		set_apart(batch->ended[0]);
	if (batch->count == 2)
		set_apart(batch->ended[1]);
	halve(outbox, batch);
}

static void try_again(struct outbox *outbox, struct outbox_batch *batch, const char *why,
		      const char *reason, int64_t now_ms)
{
	bool enough;

	batch->sent = false;
	for (size_t i = 0; i < batch->count; i++)
		if (batch->ended[i]->conflicts++ == 0)
			batch->ended[i]->accepted = outbox->accepted;
	enough = batch->ended[0]->conflicts > LIMIT_CONFLICTS;
	if (batch->count > 1) {
		if (enough)
			take_apart(outbox, batch);
		return;
	}
	batch->ended[0]->alone = true;
	if (enough && why != NULL)
		give_up(batch->ended[0], why, reason);
	outbox_again(outbox, batch, 0, now_ms);
	outbox_settle(outbox, batch);
}

void outbox_conflict(struct outbox *outbox, struct outbox_batch *batch, const char *reason,
		     int64_t now_ms)
{
	try_again(outbox, batch, "its completion met too many conflicts: ", reason, now_ms);
}

void outbox_failed(struct outbox *outbox, struct outbox_batch *batch, const char *reason,
		   int64_t now_ms)
{
	bool others = outbox->accepted > batch->ended[0]->accepted;

	try_again(outbox, batch, others ? "the database fails at its completion: " : NULL, reason,
		  now_ms);
}

void outbox_accepted(struct outbox *outbox)
{
	outbox->accepted++;
}

bool outbox_is_suspect(const struct outbox_batch *batch)
{
	return batch->ended[0]->conflicts > 0;
}

void outbox_clear(struct outbox *outbox)
{
	while (outbox->batches != NULL)
		outbox_settle(outbox, outbox->batches);
	resume(outbox, INT64_MAX);
	while (outbox->first != NULL)
		ended_free(take_first(outbox));
}
