/* The time-line of an act as a picture, SVG to stand in a page whose style gives the colours (report_style.h). */
#ifndef LOCUM_TOOLS_CHAOS_REPORT_PICTURE_H
#define LOCUM_TOOLS_CHAOS_REPORT_PICTURE_H

#include <stdio.h>

#include "tools/chaos/report/digest.h"
#include "tools/chaos/report/timeline.h"

/* Writes <svg>…</svg>: a lane per dispatcher with its lives and claims, faults as bands, deaths and what was taken from
 * the dead as marks, and below how many jobs ended a second. */
void picture_write(FILE *out, const struct digest_act *act, const struct timeline *timeline);

#endif
