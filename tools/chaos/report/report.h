/* A run's verdict for people and programs. */
#ifndef LOCUM_TOOLS_CHAOS_REPORT_REPORT_H
#define LOCUM_TOOLS_CHAOS_REPORT_REPORT_H

#include <stdio.h>

#include "base/error.h"
#include "tools/chaos/judge/verdict.h"

/* All take the run's folder, and verdicts that are not in it; NULL: they are. The text goes to a terminal as wide as
 * `width`. */
int report_text(FILE *out, const char *folder, const struct verdict_run *judged, int width,
		struct error *err);
int report_json(FILE *out, const char *folder, const struct verdict_run *judged, struct error *err);

/* Writes FOLDER/report.html: one page that needs nothing else, with a time-line picture (dispatchers, claims, faults,
 * deaths) as SVG. */
int report_html(const char *folder, struct error *err);

#endif
