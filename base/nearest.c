#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

enum { NAME_MAX_COMPARED = 40 };
enum { TOO_FAR = NAME_MAX_COMPARED };

static int least(int a, int b, int c)
{
	int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* The number of characters to insert, drop or change (Levenshtein). */
static int distance(const char *a, const char *b)
{
	size_t width = strlen(b);
	int row[NAME_MAX_COMPARED + 1];

	if (strlen(a) > NAME_MAX_COMPARED || width > NAME_MAX_COMPARED)
		return TOO_FAR;
	for (size_t j = 0; j <= width; j++)
		row[j] = (int)j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		int diagonal = row[0];

		row[0] = (int)i + 1;
		for (size_t j = 0; j < width; j++) {
			int above = row[j + 1];

			row[j + 1] = least(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[width];
}

/* A third of the letters may be wrong. */
static int distance_if_near(const char *name, const char *candidate)
{
	int d = candidate == NULL ? TOO_FAR : distance(name, candidate);

	return d <= (int)(strlen(name) + 2) / 3 ? d : TOO_FAR;
}

const char *nearest_of(const char *name, const char *a, const char *b)
{
	int to_a = distance_if_near(name, a);
	int to_b = distance_if_near(name, b);

	if (to_a == TOO_FAR && to_b == TOO_FAR)
		return NULL;
	return to_b < to_a ? b : a;
}
