#include "tools/chaos/history/array.h"

#include <stdlib.h>
#include <string.h>

/* Its room doubles whenever the count reaches a power of two. */
void *array_grow(void *array, size_t *count, size_t size)
{
	void **place = array;

	if ((*count & (*count - 1)) == 0) {
		void *larger = realloc(*place, (*count == 0 ? 1 : *count * 2) * size);

		if (larger == NULL)
			return NULL;
		*place = larger;
	}
	return memset((char *)*place + (*count)++ * size, 0, size);
}
