-- job_payload(ids bigint[], claim_ids uuid[]) -> id, payload
-- The payloads of claimed jobs that were too large to come with the claim. A job that was reassigned
-- meanwhile is missing from the answer.
select job.id, job.payload::text as payload
from unnest($1::bigint[], $2::uuid[]) as given (id, claim_id)
join locum.job on job.id = given.id and job.claim_id = given.claim_id
