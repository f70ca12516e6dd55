-- job_fate(id bigint) -> fate
-- The state of a job and its error; nothing when there is no such job.
select state || ' ' || coalesce(error, '') as fate from locum.jobs where id = $1::bigint
