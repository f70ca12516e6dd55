#include "lib/locum_outcomes.h"

#include <stdlib.h>

#include "db/await.h"
#include "db/rows.h"
#include "db/state.h"

/* One word, one number. */
#define STATE(constant, name, class)                                                               \
	_Static_assert((int)LOCUM_STATE_##constant == (int)STATE_##constant, name);
#define EDGE(from, event, to)
#include "db/states.def"
#undef STATE
#undef EDGE

struct locum_outcomes {
	PGresult *rows;
	int id;
	int state;
	int result;
	int error;
	size_t count;
	size_t ended;
	int row[]; /* of each job; -1: nothing is left of it */
};

static PGresult *fetch(struct db *db, const int64_t *ids, size_t count, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, ids, count);
	return db_call(db, "job_outcomes", &args, err);
}

static int find_columns(struct locum_outcomes *outcomes, struct error *err)
{
	static const char *const NAMES[] = { "id", "state", "result", "error" };
	int at[4];

	if (rows_columns(outcomes->rows, NAMES, 4, at, err) != 0)
		return -1;
	outcomes->id = at[0];
	outcomes->state = at[1];
	outcomes->result = at[2];
	outcomes->error = at[3];
	return 0;
}

static bool is_final(enum locum_state state)
{
	if (state == LOCUM_STATE_UNKNOWN)
		return false;
	return state == LOCUM_STATE_GONE || state_is_terminal((enum state)state);
}

struct locum_outcomes *locum_outcomes_fetch(struct db *db, const int64_t *ids, size_t count,
					    struct error *err)
{
	struct locum_outcomes *outcomes = calloc(1, sizeof(*outcomes) + count * sizeof(int));

	if (outcomes == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	outcomes->count = count;
	outcomes->rows = fetch(db, ids, count, err);
	if (outcomes->rows == NULL || find_columns(outcomes, err) != 0) {
		locum_outcomes_free(outcomes);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		outcomes->row[i] = await_find(outcomes->rows, outcomes->id, ids[i]);
		outcomes->ended += is_final(locum_outcomes_state(outcomes, i));
	}
	return outcomes;
}

void locum_outcomes_free(struct locum_outcomes *outcomes)
{
	if (outcomes == NULL)
		return;
	PQclear(outcomes->rows);
	free(outcomes);
}

size_t locum_outcomes_ended(const struct locum_outcomes *outcomes)
{
	return outcomes->ended;
}

/* NULL for a null, for a job of which nothing is left, and for a place that is none. */
static const char *text(const struct locum_outcomes *outcomes, size_t index, int column)
{
	if (index >= outcomes->count || outcomes->row[index] < 0)
		return NULL;
	return rows_text(outcomes->rows, outcomes->row[index], column);
}

enum locum_state locum_outcomes_state(const struct locum_outcomes *outcomes, size_t index)
{
	const char *name = text(outcomes, index, outcomes->state);
	enum state state;

	if (name == NULL)
		return LOCUM_STATE_GONE;
	return state_read(name, &state) != 0 ? LOCUM_STATE_UNKNOWN : (enum locum_state)state;
}

const char *locum_outcomes_result(const struct locum_outcomes *outcomes, size_t index)
{
	return text(outcomes, index, outcomes->result);
}

const char *locum_outcomes_error(const struct locum_outcomes *outcomes, size_t index)
{
	return text(outcomes, index, outcomes->error);
}
