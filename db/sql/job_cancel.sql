-- job_cancel(ids bigint[]) -> id, unfinished, claimed
-- Cancels these jobs, in this order. unfinished: there was one; claimed: its worker was asked to end it.
select wanted.id, locum.cancel(wanted.id) as unfinished,
	exists (select from locum.job where job.id = wanted.id and claim_id is not null) as claimed
from unnest($1::bigint[]) as wanted (id)
