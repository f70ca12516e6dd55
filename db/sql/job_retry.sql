-- job_retry(id bigint) -> id
-- The id of the new job, null when no finished job has that id.
select locum.retry($1::bigint) as id
