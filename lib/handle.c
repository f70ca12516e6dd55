#include "lib/handle.h"

enum { ANSWER_MS = 60000 };

static int reopen(struct locum *handle, struct error *err)
{
	const struct db_options options = {
		.conninfo = handle->conninfo,
		.answer_ms = ANSWER_MS,
		.prepared = false, /* so that a pooler may stand in between */
	};

	db_close(handle->db);
	handle->db = NULL;
	return db_open(&handle->db, &options, err);
}

int handle_begin(struct locum *handle, struct error *err)
{
	if (handle->conninfo != NULL)
		return handle_can_reopen(handle) ? reopen(handle, err) : 0;
	if (loan_begin(&handle->loan, handle->conn, err) != 0)
		return -1;
	handle->db = handle->loan.db;
	return 0;
}

void handle_end(struct locum *handle)
{
	if (handle->conninfo != NULL)
		return;
	loan_end(&handle->loan);
	handle->db = NULL;
}

bool handle_can_reopen(const struct locum *handle)
{
	return handle->conninfo != NULL && (handle->db == NULL || db_is_lost(handle->db));
}
