/* The thread that must not be late. */
#ifndef LOCUM_BASE_PRIORITY_H
#define LOCUM_BASE_PRIORITY_H

/* The nice value of such a thread. */
#define PRIORITY_NICE (-10)

/* Puts the calling thread before others where it may, and what it starts later not: that gets nice 0. A thread that somebody
 * gave another priority than the usual one keeps that. */
void priority_raise(void);

#endif
