-- claim_look(ids bigint[], claim_ids uuid[]) -> id, claim_id, lost
-- Of these claims those that do not stand any more, and those whose jobs somebody wants cancelled. A job of which no
-- trace is left, as in a queue that keeps none, is not counted as lost: its own run may have completed it.
select given.id, given.claim_id, job.claim_id is distinct from given.claim_id as lost
from unnest($1::bigint[], $2::uuid[]) as given (id, claim_id)
left join locum.job on job.id = given.id
where case
	when job.claim_id = given.claim_id then job.cancel_requested
	when job.id is not null then true
	else exists (select from locum.finished
		where finished.id = given.id and finished.claim_id is distinct from given.claim_id)
	end
