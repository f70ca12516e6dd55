/* A line on a terminal that tells how far a stream got, how fast, and how long the rest will take. */
#ifndef LOCUM_TOOLS_LOCUM_PROGRESS_H
#define LOCUM_TOOLS_LOCUM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;
	bool shown;   /* the line is on the terminal now */
	bool plain;   /* no bar, only numbers: NO_COLOR */
	int64_t size; /* bytes to be read in all, 0 when unknown */
	int64_t began_ms;
	int64_t drawn_ms;
};

/* Shows nothing unless stderr is a terminal that can go back in a line. */
void progress_init(struct progress *progress, bool wanted, int64_t size);

/* Draws it anew if that is due. */
void progress_show(struct progress *progress, int64_t jobs, int64_t bytes);

/* Takes the line away, before something else is said. */
void progress_clear(struct progress *progress);

#endif
