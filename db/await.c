#include "db/await.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "db/rows.h"
#include "db/state.h"
#include "db/view.h"

int await_init(struct await *await, const int64_t *ids, size_t count, struct error *err)
{
	*await = (struct await){ .ids = ids, .count = count, .open = count };
	await->pause_ms = AWAIT_FIRST_MS;
	await->ended = calloc(count + 1, sizeof(*await->ended));
	await->asked = calloc(count + 1, sizeof(*await->asked));
	if (await->ended != NULL && await->asked != NULL)
		return 0;
	await_fini(await);
	return error_set(err, ERROR_RETRY, "out of memory");
}

void await_fini(struct await *await)
{
	free(await->ended);
	free(await->asked);
	await->ended = NULL;
	await->asked = NULL;
}

int await_find(const PGresult *rows, int id_column, int64_t id)
{
	int low = 0;
	int high = rows_count(rows);

	while (low < high) {
		int middle = (low + high) / 2;
		int64_t here = rows_int(rows, middle, id_column);

		if (here == id)
			return middle;
		if (here < id)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

static bool has_ended(const char *name)
{
	enum state state;

	return name == NULL || (state_read(name, &state) == 0 && state_is_terminal(state));
}

static int judge(struct await *await, const PGresult *rows, size_t *missing, struct error *err)
{
	static const char *const NAMES[] = { "id", "state" };
	int at[2];

	if (rows_columns(rows, NAMES, 2, at, err) != 0)
		return -1;
	for (size_t i = 0; i < await->count; i++) {
		int row;

		if (await->ended[i])
			continue;
		row = await_find(rows, at[0], await->ids[i]);
		if (row < 0 && !await->looked) {
			*missing = i + 1;
			return error_set(err, ERROR_INPUT, "there is no job %" PRId64,
					 await->ids[i]);
		}
		await->ended[i] = has_ended(row < 0 ? NULL : rows_text(rows, row, at[1]));
		await->open -= await->ended[i];
	}
	await->looked = true;
	return 0;
}

int await_look(struct await *await, struct db *db, size_t *missing, struct error *err)
{
	PGresult *rows;
	size_t asked = 0;
	int status;

	*missing = 0;
	for (size_t i = 0; i < await->count; i++)
		if (!await->ended[i])
			await->asked[asked++] = await->ids[i];
	rows = view_states(db, await->asked, asked, err);
	if (rows == NULL)
		return -1;
	status = judge(await, rows, missing, err);
	PQclear(rows);
	return status;
}

int64_t await_longer_ms(int64_t pause_ms)
{
	int64_t next_ms = pause_ms * 3 / 2 + 1;

	return next_ms < AWAIT_MOST_MS ? next_ms : AWAIT_MOST_MS;
}

void await_pause(struct await *await, int64_t left_ms)
{
	poll(NULL, 0, (int)(left_ms >= 0 && left_ms < await->pause_ms ? left_ms : await->pause_ms));
	await->pause_ms = await_longer_ms(await->pause_ms);
}
