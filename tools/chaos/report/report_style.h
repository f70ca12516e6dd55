/* The style of a report's page: light and dark, by what the reader's machine prefers. */
#ifndef LOCUM_TOOLS_CHAOS_REPORT_REPORT_STYLE_H
#define LOCUM_TOOLS_CHAOS_REPORT_REPORT_STYLE_H

extern const char report_style[];

#endif
