#include "tools/locum/ids.h"

#include <inttypes.h>
#include <stdlib.h>

void ids_fini(struct ids *ids)
{
	free(ids->runs);
	*ids = (struct ids){ 0 };
}

void ids_clear(struct ids *ids)
{
	ids->count = 0;
}

static int add_run(struct ids *ids, int64_t first, struct error *err)
{
	if (ids->count == ids->room) {
		size_t room = ids->room == 0 ? 16 : 2 * ids->room;
		struct ids_run *runs = reallocarray(ids->runs, room, sizeof(*runs));

		if (runs == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
		ids->runs = runs;
		ids->room = room;
	}
	ids->runs[ids->count++] = (struct ids_run){ first, 1 };
	return 0;
}

int ids_add(struct ids *ids, const int64_t *more, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct ids_run *last = ids->count == 0 ? NULL : &ids->runs[ids->count - 1];

		if (last != NULL && more[i] == last->first + last->count)
			last->count++;
		else if (add_run(ids, more[i], err) != 0)
			return -1;
	}
	return 0;
}

void ids_print(const struct ids *ids, FILE *out, bool json)
{
	for (size_t i = 0; i < ids->count; i++)
		for (int64_t n = 0; n < ids->runs[i].count; n++)
			fprintf(out, json ? "{\"id\":%" PRId64 "}\n" : "%" PRId64 "\n",
				ids->runs[i].first + n);
	fflush(out);
}
