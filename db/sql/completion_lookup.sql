-- completion_lookup(completion_id uuid, ids bigint[], claim_ids uuid[]) -> id, verdict, state
-- What became of jobs that a completion did not accept, to be run after it as a statement of its own:
--   mine  the completion was accepted earlier, or the handler completed the job itself
--   held  the claim still stands: complete again
--   lost  the job was reassigned
--   gone  no trace is left of the job
-- with the state that is stored, which is another than the one that was sent when somebody else was quicker.
select given.id,
	case when given.id = any(receipt.jobs) then 'mine'
		when job.claim_id = given.claim_id then 'held'
		when job.id is not null then 'lost'
		when finished.claim_id = given.claim_id then 'mine'
		when finished.id is not null then 'lost'
		else 'gone' end as verdict, coalesce(finished.state, job.state)::text as state
from unnest($2::bigint[], $3::uuid[]) as given (id, claim_id)
left join locum.receipt on receipt.completion_id = $1::uuid
left join locum.job on job.id = given.id
left join locum.finished on finished.id = given.id
