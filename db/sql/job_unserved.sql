-- job_unserved(ids bigint[]) -> handler, queue
-- The handlers and queues of these unfinished jobs that no agent of a living dispatcher serves together.
select distinct job.handler::text as handler, queue.name::text as queue
from locum.job
join locum.queue on queue.id = job.queue_id
where job.id = any($1::bigint[]) and not exists (
	select from locum.agent
	where job.handler = any(agent.handlers) and job.handler <> all(agent.broken)
		and queue.name = any(agent.queues)
)
order by handler, queue
