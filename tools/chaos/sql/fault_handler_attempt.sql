-- fault_handler_attempt(job bigint) -> attempt bigint
-- The attempts of the job that were counted, if it was completed; else none.
select attempt
from locum.jobs
where id = $1::bigint and state = 'completed'
