/* "Did you mean …?" */
#ifndef LOCUM_BASE_NEAREST_H
#define LOCUM_BASE_NEAREST_H

/* Returns whichever of a and b (each may be NULL) is nearer to name, or NULL when neither is near enough
 * to be what was meant. */
const char *nearest_of(const char *name, const char *a, const char *b);

#endif
