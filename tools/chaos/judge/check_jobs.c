#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/judge/check.h"

enum { PAGE_BITS = 14, PAGE_JOBS = 1 << PAGE_BITS, PAGES_MAX = 1 << 20 };

/* Moves the list of pages so that it reaches from `first` to `last`. */
static bool reach(struct check *check, int64_t first, int64_t last)
{
	size_t count = (size_t)(last - first + 1);
	size_t shift = check->page_count == 0 ? 0 : (size_t)(check->first_page - first);
	struct check_job **pages;

	if (last - first >= PAGES_MAX)
		return false;
	pages = calloc(count, sizeof(struct check_job *));
	if (pages == NULL)
		return false;
	if (check->page_count > 0)
		memcpy(pages + shift, check->pages, check->page_count * sizeof(*pages));
	free(check->pages);
	check->pages = pages;
	check->first_page = first;
	check->page_count = count;
	return true;
}

static bool holds(const struct check *check, int64_t page)
{
	return check->page_count > 0 && page >= check->first_page &&
	       page - check->first_page < (int64_t)check->page_count;
}

/* The list grows by halves, so that ids that ascend cost little. */
static bool make_room(struct check *check, int64_t page)
{
	int64_t last;

	if (holds(check, page))
		return true;
	if (check->page_count == 0)
		return reach(check, page, page);
	last = check->first_page + (int64_t)check->page_count - 1;
	if (page < check->first_page)
		return reach(check, page, last);
	return reach(check, check->first_page, page + (int64_t)check->page_count / 2);
}

struct check_job *check_jobs_at(struct check *check, int64_t id)
{
	int64_t page = id >> PAGE_BITS;
	struct check_job **jobs;

	if (id <= 0 || !make_room(check, page)) {
		check_read_unsound(check, "%s:%" PRId64 ": no job can have the id %" PRId64,
				   check->file, check->line, id);
		return NULL;
	}
	jobs = &check->pages[page - check->first_page];
	if (*jobs == NULL)
		*jobs = calloc(PAGE_JOBS, sizeof(struct check_job));
	if (*jobs == NULL) {
		check_read_unsound(check, "out of memory");
		return NULL;
	}
	return &(*jobs)[id & (PAGE_JOBS - 1)];
}

void check_jobs_each(struct check *check,
		     void (*visit)(struct check *, int64_t id, struct check_job *job))
{
	for (size_t page = 0; page < check->page_count; page++) {
		int64_t first = (check->first_page + (int64_t)page) << PAGE_BITS;

		for (int i = 0; check->pages[page] != NULL && i < PAGE_JOBS; i++) {
			struct check_job *job = &check->pages[page][i];

			if (job->step != CHECK_ABSENT || job->flags != 0)
				visit(check, first + i, job);
		}
	}
}

void check_jobs_fini(struct check *check)
{
	for (size_t page = 0; page < check->page_count; page++)
		free(check->pages[page]);
	free(check->pages);
	check->pages = NULL;
	check->page_count = 0;
}
