-- signal_take(incarnation uuid, taken bigint[]) -> id, job_id, claim_id, kind
-- What this incarnation is to be told. It stays until the next call says that it was taken, so that none is lost with
-- an answer. By id one by one, for a lower id may be committed later. A drain has neither job nor claim.
with acknowledged as (
	delete from locum.signal where incarnation = $1::uuid and id = any($2::bigint[])
)
select id, job_id, claim_id, kind::text
from locum.signal
where incarnation = $1::uuid and id <> all($2::bigint[])
order by id
