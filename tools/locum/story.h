/* The whole story of a job, for people. */
#ifndef LOCUM_TOOLS_LOCUM_STORY_H
#define LOCUM_TOOLS_LOCUM_STORY_H

#include "db/view.h"
#include "tools/locum/cli.h"

/* Writes to stdout what the answers of job_show, job_episodes and job_follow_ups say. */
void story_put(const struct cli *cli, const PGresult *job, const PGresult *episodes,
	       const PGresult *follow_ups);

#endif
