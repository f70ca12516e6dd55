-- claim_unknown(incarnation uuid, known bigint[]) -> id, claim_id
-- The claims that the database counts as this incarnation's and of which it knows nothing: the answer was lost with a
-- connection, and what they claimed never started.
select id, claim_id
from locum.job
where incarnation = $1::uuid and id not in (select unnest($2::bigint[]))
order by id
