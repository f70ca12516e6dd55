/* Looking for jobs, newest first, page by page, without looking at all that there are. */
#ifndef LOCUM_TOOLS_LOCUM_SEARCH_H
#define LOCUM_TOOLS_LOCUM_SEARCH_H

#include "db/view.h"

/* Jobs, unfinished or finished, that are looked at in vain before a search gives up. */
enum { SEARCH_MOST = 500000, SEARCH_MOST_COSTLY = 20000 };

struct search {
	const struct view_filter *filter; /* borrowed */
	bool all;                         /* never give up */
	bool full;                        /* rows with payload and result */
	int64_t step;                     /* jobs in one look */
	int64_t before;
	int64_t looked; /* jobs since the last full page */
	bool by_label;  /* the rest is sought by the index of labels */
	bool done;
	bool cut;        /* gave up */
	int64_t reached; /* then: when the job was submitted that it came to, as the server counts */
};

/* Begins a search. Where a filter has --until, the newer jobs are passed over. */
int search_begin(struct search *search, struct db *db, const struct view_filter *filter,
		 struct error *err);

/* Returns the next jobs, at most `most` and at least one, the caller's to PQclear; NULL with search->done at the
 * end, NULL with *err when it failed. */
PGresult *search_next(struct search *search, struct db *db, int64_t most, struct error *err);

#endif
