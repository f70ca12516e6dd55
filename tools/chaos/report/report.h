/* A run's verdict for people and programs. */
#ifndef LOCUM_TOOLS_CHAOS_REPORT_REPORT_H
#define LOCUM_TOOLS_CHAOS_REPORT_REPORT_H

#include <stdio.h>

#include "base/error.h"

/* All take the run's folder. The text goes to a terminal as wide as `width`. */
int report_text(FILE *out, const char *folder, int width, struct error *err);
int report_json(FILE *out, const char *folder, struct error *err);

/* Writes FOLDER/report.html: one page that needs nothing else, with a time-line picture (dispatchers, claims, faults,
 * deaths) as SVG. */
int report_html(const char *folder, struct error *err);

#endif
