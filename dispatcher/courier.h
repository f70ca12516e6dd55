/* Frames between the pump and its agents. */
#ifndef LOCUM_DISPATCHER_COURIER_H
#define LOCUM_DISPATCHER_COURIER_H

#include "db/job.h"
#include "dispatcher/pump_state.h"

/* A new agent process: greets it. */
void courier_meet(struct pump *pump, int agent, int fd);

/* Tells an agent of the configuration that is in force now. */
void courier_reload(struct pump *pump, int agent);

/* Memory ended while a run did: the job is given back as one that we know nothing of. */
void courier_forget(struct pump *pump, struct holding *holding, const struct error *err);

/* Takes in what an agent sent. */
void courier_receive(struct pump *pump, int agent);

/* Writes what waits for the agents. */
void courier_flush(struct pump *pump);

/* Sends claimed jobs to an agent and enters them into the ledger. */
int courier_send(struct pump *pump, int agent, struct uuid claim_id, const struct job_claimed *jobs,
		 size_t count, struct error *err);

/* Tells the agent of a job to end it. */
void courier_cancel(struct pump *pump, const struct holding *holding,
		    enum wire_cancel_reason reason);

/* Tells all agents to hand back what has not started. */
void courier_recall(struct pump *pump);

/* Tells the agents that are leaving and hold nothing any more to end. */
void courier_dismiss(struct pump *pump);

/* Tells all agents to hand everything back. */
void courier_stop(struct pump *pump, int64_t grace_ms);

/* The job was reassigned: says so, has it ended, and drops the holding. */
void courier_lose(struct pump *pump, struct holding *holding, const char *cause);

#endif
