/* A line of a submission stream, taken apart without a copy. */
#ifndef LOCUM_TOOLS_LOCUM_JOB_LINE_H
#define LOCUM_TOOLS_LOCUM_JOB_LINE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json_scan.h"
#include "db/submission.h"

enum { JOB_LINE_MEMBERS = 64 };

struct job_line {
	const struct submission_job
		*defaults;         /* borrowed: what a line does not say; their options, if
						  any, are "{…}" with something in it */
	struct submission_job job; /* of the line that was read last; borrows from it */
	struct buffer options;
	struct json_span names[JOB_LINE_MEMBERS]; /* of the members that came, of the line */
	size_t count;
	struct json_span own[JOB_LINE_MEMBERS]; /* those of them that are among its options */
	size_t own_count;
	bool no_memory; /* ended the scan */
};

void job_line_init(struct job_line *line, const struct submission_job *defaults);
void job_line_fini(struct job_line *line);

/* Reads a job from the text of a line, which has to stay for as long as line->job is used. ERROR_INPUT with what
 * is wrong and in which column. What a line's options are worth, the server says. */
int job_line_read(struct job_line *line, const char *text, size_t length, struct error *err);

#endif
