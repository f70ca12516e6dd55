-- job_note(ids bigint[], claim_ids uuid[], checkpoints text[], progresses text[]) -> id
-- Keeps what runs say of themselves, as far as their claims still stand. A null leaves what is there. Ids ascend: the
-- lock order.
update locum.job
set checkpoint = coalesce(given.checkpoint::json, job.checkpoint),
	progress = coalesce(given.progress::json, job.progress)
from unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[]) as given (id, claim_id, checkpoint, progress)
where job.id = given.id and job.claim_id = given.claim_id
returning job.id
