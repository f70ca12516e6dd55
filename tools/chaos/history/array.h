/* Arrays that grow by one at their end. */
#ifndef LOCUM_TOOLS_CHAOS_HISTORY_ARRAY_H
#define LOCUM_TOOLS_CHAOS_HISTORY_ARRAY_H

#include <stddef.h>

/* Adds an element, cleared, to the array whose address is at `array` and returns its place; elements that are there may
 * move. NULL when memory ends, and nothing is changed then. The array is freed with free(). */
void *array_grow(void *array, size_t *count, size_t size);

#endif
