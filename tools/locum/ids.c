#include "tools/locum/ids.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void ids_fini(struct ids *ids)
{
	if (ids->file != NULL)
		fclose(ids->file);
	free(ids->runs);
	*ids = (struct ids){ 0 };
}

void ids_clear(struct ids *ids)
{
	if (ids->file != NULL)
		rewind(ids->file);
	ids->count = 0;
	ids->filed = 0;
}

/* Makes room in memory. */
static int file_runs(struct ids *ids, struct error *err)
{
	if (ids->file == NULL)
		ids->file = tmpfile();
	if (ids->file == NULL ||
	    fwrite(ids->runs, sizeof(*ids->runs), ids->count, ids->file) != ids->count)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot write a temporary file");
	ids->filed += ids->count;
	ids->count = 0;
	return 0;
}

static int add_run(struct ids *ids, int64_t first, struct error *err)
{
	if (ids->runs == NULL) {
		ids->runs = calloc(IDS_RUNS, sizeof(*ids->runs));
		if (ids->runs == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
	}
	if (ids->count == IDS_RUNS && file_runs(ids, err) != 0)
		return -1;
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

static void print_run(const struct ids_run *run, FILE *out, bool json)
{
	for (int64_t n = 0; n < run->count && !ferror(out); n++)
		fprintf(out, json ? "{\"id\":%" PRId64 "}\n" : "%" PRId64 "\n", run->first + n);
}

static int print_filed(struct ids *ids, FILE *out, bool json, struct error *err)
{
	struct ids_run run;

	if (ids->filed == 0)
		return 0;
	rewind(ids->file);
	for (size_t i = 0; i < ids->filed; i++) {
		if (fread(&run, sizeof(run), 1, ids->file) != 1)
			return error_set_errno(err, ERROR_RETRY, errno,
					       "cannot read a temporary file");
		print_run(&run, out, json);
	}
	return 0;
}

int ids_print(struct ids *ids, FILE *out, bool json, struct error *err)
{
	errno = 0;
	if (print_filed(ids, out, json, err) != 0)
		return -1;
	for (size_t i = 0; i < ids->count; i++)
		print_run(&ids->runs[i], out, json);
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	return error_set_errno(err, ERROR_RETRY, errno, "cannot print the ids");
}
