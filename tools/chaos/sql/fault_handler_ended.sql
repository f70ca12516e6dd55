-- fault_handler_ended(job bigint) -> count bigint
-- 1 when the job has ended.
select count(*)
from locum.jobs
where id = $1::bigint and state in ('completed', 'failed', 'cancelled', 'expired')
