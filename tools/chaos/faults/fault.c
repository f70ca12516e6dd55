#include "tools/chaos/faults/fault.h"

#include <string.h>

#include "base/nearest.h"

/* NULL behind the last, so that it is an array without any too. */
static const struct fault *const FILES[] = {
#define FILE_ROW(name) fault_##name,
	FAULT_FILES(FILE_ROW)
#undef FILE_ROW
		NULL,
};

/* Whether a stands before b: by row, and within a row by place. */
static bool precedes(const struct fault *a, size_t a_place, const struct fault *b, size_t b_place)
{
	return a->row != b->row ? a->row < b->row : a_place < b_place;
}

/* The place of a fault among all, file by file. */
static size_t place_of(const struct fault *fault)
{
	size_t place = 0;

	for (const struct fault *const *file = FILES; *file != NULL; file++)
		for (const struct fault *at = *file; at->name != NULL; at++, place++)
			if (at == fault)
				return place;
	return place;
}

const struct fault *fault_next(const struct fault *previous)
{
	size_t previous_place = previous == NULL ? 0 : place_of(previous);
	const struct fault *next = NULL;
	size_t next_place = 0;
	size_t place = 0;

	for (const struct fault *const *file = FILES; *file != NULL; file++) {
		for (const struct fault *at = *file; at->name != NULL; at++, place++) {
			if (previous != NULL && !precedes(previous, previous_place, at, place))
				continue;
			if (next != NULL && !precedes(at, place, next, next_place))
				continue;
			next = at;
			next_place = place;
		}
	}
	return next;
}

const struct fault *fault_find(const char *name)
{
	const struct fault *fault = NULL;

	while ((fault = fault_next(fault)) != NULL)
		if (strcmp(fault->name, name) == 0)
			return fault;
	return NULL;
}

const char *fault_nearest(const char *name)
{
	const struct fault *fault = NULL;
	const char *best = NULL;

	while ((fault = fault_next(fault)) != NULL)
		best = nearest_of(name, best, fault->name);
	return best;
}

const char *fault_stage_name(enum stage_kind kind)
{
	static const char *const NAMES[] = {
#define STAGE_NAME(name, text, help) text,
		STAGES(STAGE_NAME)
#undef STAGE_NAME
	};

	return NAMES[kind];
}
