#include "tools/chaos/play/client.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "db/db.h"
#include "db/intervention.h"
#include "db/submission.h"
#include "db/view.h"
#include "tools/chaos/history/history.h"

enum { ANSWER_MS = 10000, PAUSE_LEAST_MS = 20, PAUSE_MOST_MS = 500, NAME_SIZE = 32 };
enum { ID_SIZE = 21 /* with the space before it */ };

struct client {
	struct client_options options;
	struct history log;
	struct db *db;
	struct submission *batch;
};

struct client *client_open(const struct client_options *options, struct error *err)
{
	struct client *client = calloc(1, sizeof(*client));
	char name[NAME_SIZE];

	if (client == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	client->options = *options;
	client->batch = submission_new();
	snprintf(name, sizeof(name), "client-%d.log", options->number);
	if (client->batch == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	else if (history_open(&client->log, options->folder, name, err) == 0)
		return client;
	submission_free(client->batch);
	free(client);
	return NULL;
}

void client_close(struct client *client)
{
	if (client == NULL)
		return;
	db_close(client->db);
	submission_free(client->batch);
	history_close(&client->log);
	free(client);
}

static struct args_text text_of(const char *text)
{
	return (struct args_text){ text, text == NULL ? 0 : strlen(text) };
}

int client_add(struct client *client, const char *handler, const char *payload, const char *options,
	       struct error *err)
{
	const struct submission_job job = { .handler = text_of(handler),
					    .payload = text_of(payload),
					    .options = text_of(options),
					    .priority = SUBMISSION_PRIORITY_NONE };

	return submission_add(client->batch, &job, err);
}

/* --- the connection ----------------------------------------------------------------------------- */

static int connect(struct client *client, struct error *err)
{
	const struct db_options options = {
		.conninfo = client->options.conninfo,
		.role = "load",
		.prepared = true,
		.wary = true,
		.answer_ms = ANSWER_MS,
	};

	return client->db != NULL ? 0 : db_open(&client->db, &options, err);
}

static void drop_lost(struct client *client)
{
	if (client->db != NULL && db_is_lost(client->db)) {
		db_close(client->db);
		client->db = NULL;
	}
}

/* Whether the client may go on after the pause. */
static bool pause_for(const struct client *client, int *pause_ms)
{
	struct pollfd give_up = { .fd = client->options.give_up_fd, .events = POLLIN };
	int ready = poll(&give_up, 1, *pause_ms);

	*pause_ms = *pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : *pause_ms * 2;
	return ready <= 0;
}

/* --- submitting --------------------------------------------------------------------------------- */

static const char *state_of(const struct error *err)
{
	return err->sqlstate[0] == '\0' ? "-" : err->sqlstate;
}

static void write_stored(struct client *client, const char *request, const int64_t *ids,
			 size_t count)
{
	char *text = malloc(count * ID_SIZE + 1);
	size_t used = 0;

	if (text == NULL)
		return; /* the checker finds jobs that nobody was told of: unknown, not wrong */
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, ID_SIZE + 1, " %" PRId64, ids[i]);
	history_write(&client->log, "ok %s%s", request, text);
	free(text);
}

/* What the server refused was rolled back: nothing of it is stored. Anything else may be. */
static bool is_refused(const struct client *client, const struct error *err)
{
	return client->db != NULL && !db_is_lost(client->db) && err->sqlstate[0] != '\0' &&
	       (err->kind == ERROR_INPUT || err->kind == ERROR_FATAL);
}

/* Sends it once, under its request. Returns whether its fate is known. */
static bool try_once(struct client *client, struct uuid request, int64_t *ids,
		     enum client_fate *fate, struct error *err)
{
	struct submission_answer answer = { .ids = ids };
	size_t count = submission_count(client->batch);
	char text[UUID_TEXT_SIZE];

	uuid_text(request, text);
	if (connect(client, err) == 0 &&
	    submission_send(client->batch, client->db, count, request, &answer, err) == 0) {
		*fate = CLIENT_STORED;
		write_stored(client, text, ids, answer.stored < count ? answer.stored : count);
		return true;
	}
	if (is_refused(client, err)) {
		*fate = CLIENT_REFUSED;
		history_write(&client->log, "fail %s %s", text, state_of(err));
		return true;
	}
	*fate = CLIENT_UNKNOWN;
	history_write(&client->log, "info %s %s", text, state_of(err));
	return false;
}

enum client_fate client_submit(struct client *client, int64_t *ids, struct error *err)
{
	const struct uuid request = uuid_make();
	const int64_t patience_ms = client->options.patience_ms;
	const int64_t began_ms = clock_monotonic_ms();
	enum client_fate fate = CLIENT_UNKNOWN;
	int pause_ms = PAUSE_LEAST_MS;
	char text[UUID_TEXT_SIZE];

	history_write(&client->log, "submit %s %zu", uuid_text(request, text),
		      submission_count(client->batch));
	while (!try_once(client, request, ids, &fate, err)) {
		drop_lost(client);
		if ((patience_ms > 0 && clock_monotonic_ms() - began_ms >= patience_ms) ||
		    !pause_for(client, &pause_ms))
			break;
	}
	submission_clear(client->batch);
	return fate;
}

/* --- cancelling --------------------------------------------------------------------------------- */

/* A run that was asked to end may end otherwise. */
static const char *cancelled(const PGresult *rows)
{
	const char *outcome = rows == NULL || PQntuples(rows) == 0 ||
					      view_is_null(rows, 0, "outcome")
				      ? "left"
				      : view_text(rows, 0, "outcome");

	if (rows == NULL || strcmp(outcome, "asked") == 0)
		return "info";
	return strcmp(outcome, "cancelled") == 0 ? "yes" : "no";
}

bool client_cancel(struct client *client, int64_t job)
{
	struct error err = { .kind = ERROR_NONE };
	const char *outcome;
	PGresult *rows;

	if (connect(client, &err) != 0)
		return false;
	history_write(&client->log, "cancel %" PRId64, job);
	rows = intervention_cancel(client->db, &job, 1, NULL, 0, &err);
	outcome = cancelled(rows);
	history_write(&client->log, "cancelled %" PRId64 " %s", job, outcome);
	PQclear(rows);
	drop_lost(client);
	return strcmp(outcome, "no") != 0;
}

/* --- jobs that come another way ----------------------------------------------------------------- */

int client_retry(struct client *client, int64_t job, int64_t *again, struct error *err)
{
	char request[UUID_TEXT_SIZE];
	PGresult *rows;

	if (connect(client, err) != 0)
		return -1;
	uuid_text(uuid_make(), request);
	history_write(&client->log, "submit %s 1", request);
	rows = intervention_retry(client->db, &job, 1, false, err);
	if (rows == NULL) {
		history_write(&client->log, "info %s %s", request, state_of(err));
		drop_lost(client);
		return -1;
	}
	*again = PQntuples(rows) == 0 ? 0 : view_int(rows, 0, "id");
	PQclear(rows);
	if (*again > 0)
		write_stored(client, request, again, 1);
	else
		history_write(&client->log, "fail %s -", request);
	return 0;
}

void client_adopt(struct client *client, int64_t job)
{
	char request[UUID_TEXT_SIZE];

	uuid_text(uuid_make(), request);
	history_write(&client->log, "submit %s 1", request);
	write_stored(client, request, &job, 1);
}
