-- job_retry(ids bigint[], again boolean) -> id, retry_of, _finished
-- Submits these jobs again, in this order; those that were retried before only with `again`. The new id is null when
-- that was not done, or there is no such finished job.
select case when $2::boolean then locum.retry(wanted.id) else locum.retry_once(wanted.id) end as id,
	wanted.id as retry_of,
	exists (select from locum.finished where finished.id = wanted.id) as _finished
from unnest($1::bigint[]) as wanted (id)
