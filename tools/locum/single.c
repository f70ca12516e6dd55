#include "tools/locum/single.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/submission.h"
#include "tools/locum/patience.h"
#include "tools/locum/payload.h"
#include "tools/locum/unserved.h"

struct single {
	const struct job_flags *flags;
	struct db *db;
	struct submission *jobs;
	struct uuid request_id;
	struct patience patience;
	struct unserved unserved;
	struct unserved_fresh fresh;
	int64_t id;
};

static int prepare(struct single *single, struct error *err)
{
	single->jobs = submission_new();
	if (single->jobs == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (submission_add(single->jobs, &single->flags->job, err) != 0)
		return -1;
	unserved_note(&single->unserved, &single->fresh, &single->flags->job, 0);
	return cli_open(single->flags->cli, &single->db, err);
}

struct single *single_open(const struct job_flags *flags, int stop_fd, struct error *err)
{
	struct single *single = calloc(1, sizeof(*single));

	if (single == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	single->flags = flags;
	single->request_id = uuid_is_none(flags->request_ident) ? uuid_make()
								: flags->request_ident;
	single->patience = (struct patience){ .cli = flags->cli,
					      .limit_ms = flags->retry_for_ms,
					      .stop_fd = stop_fd };
	single->unserved.strict = flags->strict;
	if (prepare(single, err) == 0)
		return single;
	single_close(single);
	return NULL;
}

void single_close(struct single *single)
{
	if (single == NULL)
		return;
	submission_free(single->jobs);
	db_close(single->db);
	free(single);
}

/* The server says that the payload is no JSON; the place is found here. */
static int explain(const struct single *single, struct error *err)
{
	const struct args_text *payload = &single->flags->job.payload;
	char place[256];

	if (strcmp(err->sqlstate, "22P02") == 0 && strstr(err->text, "json") != NULL &&
	    payload->bytes != NULL &&
	    payload_find_fault(payload->bytes, payload->length, place, sizeof(place)) == 0)
		error_set(err, ERROR_INPUT, "the payload is not JSON: %s", place);
	return -1;
}

static int send_job(struct single *single, struct error *err)
{
	struct submission_answer answer = { .ids = &single->id };

	if (submission_send(single->jobs, single->db, 1, single->request_id, &answer, err) != 0)
		return explain(single, err);
	return answer.stored > 0
		       ? 0
		       : error_set(err, ERROR_INPUT, "the request_id was used before, for no job");
}

static int send_served(struct single *single, struct error *err)
{
	if (db_execute(single->db, "begin", err) != 0)
		return -1;
	if (send_job(single, err) != 0 ||
	    unserved_check(&single->unserved, &single->fresh, single->db, &single->id, err) != 0) {
		if (!db_is_lost(single->db))
			db_execute(single->db, "rollback", NULL);
		return -1;
	}
	return db_execute(single->db, "commit", err);
}

int single_store(struct single *single, int64_t *id, struct error *err)
{
	while ((single->flags->strict ? send_served(single, err) : send_job(single, err)) != 0)
		if (patience_mend(&single->patience, &single->db, err) != 0)
			return -1;
	patience_rest(&single->patience);
	*id = single->id;
	return 0;
}

void single_warn(struct single *single)
{
	if (!single->flags->strict)
		unserved_check(&single->unserved, &single->fresh, single->db, &single->id, NULL);
}

struct db **single_db(struct single *single)
{
	return &single->db;
}
