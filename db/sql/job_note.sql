-- job_note(ids bigint[], claim_ids uuid[], checkpoints text[], progresses text[]) -> id
-- Keeps what runs say of themselves, as far as their claims still stand. A null leaves what is there. Rows that
-- somebody holds locked are left as they are: who does so for long ends the job.
with free as materialized (
	select job.id, given.checkpoint, given.progress
	from unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[]) as given (id, claim_id, checkpoint, progress)
	join locum.job on job.id = given.id and job.claim_id = given.claim_id
	for update of job skip locked
)
update locum.job
set checkpoint = coalesce(free.checkpoint::json, job.checkpoint),
	progress = coalesce(free.progress::json, job.progress)
from free
where job.id = free.id
returning job.id
