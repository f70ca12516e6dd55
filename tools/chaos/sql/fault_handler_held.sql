-- fault_handler_held(job bigint) -> count bigint
-- 1 while the first claim of the job stands.
select count(*)
from locum.job
where id = $1::bigint and claim_id is not null and claim_seq = 1
