-- job_retry(ids bigint[]) -> id, retry_of
-- Submits these jobs again, in this order; the new id is null when no finished job has that id.
select locum.retry(wanted.id) as id, wanted.id as retry_of from unnest($1::bigint[]) as wanted (id)
