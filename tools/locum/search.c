#include "tools/locum/search.h"

#include "db/rows.h"

enum { FIRST_LOOK = 2000 }; /* most searches end in the first */

/* A transaction that submits for longer than that may hide its jobs from --since and --until. */
static const int64_t TRANSACTION_US = (int64_t)3600 * 1000 * 1000;

/* What went wrong lies scattered among what did not: where more is asked of it than its state, which stands in
 * the index, each job that is looked at costs a page. */
static bool is_costly(const struct view_filter *filter)
{
	return !view_allows(filter, VIEW_COMPLETED) &&
	       (filter->queues.count + filter->handlers.count > 0 || filter->labels != NULL ||
		filter->error != NULL || filter->submitted_by != NULL);
}

int search_begin(struct search *search, struct db *db, const struct view_filter *filter,
		 struct error *err)
{
	*search = (struct search){
		.filter = filter,
		.step = is_costly(filter) ? SEARCH_MOST_COSTLY : SEARCH_MOST,
		.before = INT64_MAX,
	};
	if (filter->until > ARGS_TIME_LAST - TRANSACTION_US || filter->until == ARGS_TIME_FIRST)
		return 0;
	return view_after(db, filter->until + TRANSACTION_US, &search->before, err);
}

/* Whether an index leads to the jobs, however many others there are. */
static bool is_direct(const struct search *search)
{
	const struct view_filter *filter = search->filter;

	return search->by_label || filter->key != NULL ||
	       (!view_allows(filter, VIEW_UNCLAIMED) && !view_allows(filter, VIEW_COMPLETED) &&
		!view_allows(filter, VIEW_NOT_COMPLETED));
}

/* How far the next look goes: to the id *lowest. */
static int reach(struct search *search, struct db *db, int64_t most, int64_t *lowest,
		 int64_t *reached, struct error *err)
{
	int64_t step = search->looked == 0 ? FIRST_LOOK : search->step;

	*lowest = 0;
	*reached = ARGS_TIME_FIRST;
	if (is_direct(search))
		return 0;
	step = step < most ? most : step;
	if (view_floor(db, search->filter, search->before, step, lowest, reached, err) != 0)
		return -1;
	search->looked += step;
	return 0;
}

/* What comes after the jobs from `lowest` on. */
static void go_on(struct search *search, int64_t lowest, int64_t reached)
{
	const struct view_filter *filter = search->filter;
	bool too_old = !filter->by_end && filter->since != ARGS_TIME_FIRST &&
		       reached < filter->since - TRANSACTION_US;

	search->before = lowest;
	if (lowest == 0 || too_old) {
		search->done = true;
	} else if (!search->all && search->looked >= search->step) {
		search->by_label = filter->labels != NULL;
		search->done = search->cut = filter->labels == NULL;
		search->reached = reached;
	}
}

PGresult *search_next(struct search *search, struct db *db, int64_t most, struct error *err)
{
	while (!search->done) {
		struct view_range range = { .before = search->before,
					    .most = most,
					    .full = search->full,
					    .by_label = search->by_label };
		int64_t reached;
		PGresult *rows;
		int count;

		if (reach(search, db, most, &range.lowest, &reached, err) != 0)
			return NULL;
		rows = view_jobs(db, search->filter, &range, err);
		if (rows == NULL)
			return NULL;
		count = rows_count(rows);
		if (count == most) {
			search->before = view_int(rows, count - 1, "id");
			search->looked = 0;
		} else {
			go_on(search, range.lowest, reached);
		}
		if (count > 0)
			return rows;
		PQclear(rows);
	}
	return NULL;
}
