-- job_start(ids bigint[], claim_ids uuid[], started_ago_ms bigint[]) -> id
-- Marks assigned jobs as active since that long ago. Returns those whose claim still stands.
update locum.job
set state = 'active', started_at = clock_timestamp() - given.ago_ms * interval '1 millisecond'
from unnest($1::bigint[], $2::uuid[], $3::bigint[]) as given (id, claim_id, ago_ms)
where job.id = given.id and job.claim_id = given.claim_id and job.state = 'assigned'
returning job.id
