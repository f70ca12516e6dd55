-- job_start(ids bigint[], claim_ids uuid[], started_ago_ms bigint[]) -> id
-- Marks assigned jobs as active since that long ago. Returns those whose claim still stands, but for rows that somebody
-- holds locked, as a run does that has begun its transaction with the gate: waiting for them would hold up all the others.
with free as materialized (
	select job.id, given.ago_ms
	from unnest($1::bigint[], $2::uuid[], $3::bigint[]) as given (id, claim_id, ago_ms)
	join locum.job on job.id = given.id and job.claim_id = given.claim_id and job.state = 'assigned'
	for update of job skip locked
)
update locum.job
set state = 'active', started_at = clock_timestamp() - free.ago_ms * interval '1 millisecond'
from free
where job.id = free.id
returning job.id
