/* The jobs of an agent that wait: in its own line, or in that of a service. Owned by the loop's thread. */
#ifndef LOCUM_AGENT_ARRIVALS_H
#define LOCUM_AGENT_ARRIVALS_H

#include "agent/agent.h"
#include "agent/arrival.h"

/* Puts a job at the end of a line. -1 when memory ends. */
int arrivals_take(struct agent *agent, struct arrival_list *line, struct program *program,
		  const struct wire_job *job, struct wire_bytes entry, struct error *err);

/* Makes a run of the first one of a line, which leaves it. NULL when memory ends: the job is handed back. */
struct run *arrivals_begin(struct agent *agent, struct arrival_list *line);

/* Reports a job that never started. */
void arrivals_report(struct agent *agent, const struct wire_job *job, enum verdict verdict,
		     const char *why);

/* Takes one out of its line, and reports it. */
void arrivals_end(struct agent *agent, struct arrival_list *line, struct arrival *arrival,
		  enum verdict verdict, const char *why);

/* Takes one out of its line: nobody wants to hear of it. */
void arrivals_drop(struct agent *agent, struct arrival_list *line, struct arrival *arrival);

/* Hands back all of a line. */
void arrivals_release(struct agent *agent, struct arrival_list *line, const char *why);

#endif
