-- bare_complete(ids bigint[], claim_id uuid) -> nothing
-- The prototype's completion: the rows move to the history.
with done as (
	delete from bare.job where id = any($1::bigint[]) and claim_id = $2::uuid returning *
)
insert into bare.finished
select id, queue, priority, handler, claim_id, dispatcher, attempts, created_at, claimed_at, now(), payload
from done
