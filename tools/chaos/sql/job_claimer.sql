-- job_claimer(id bigint) -> pid
-- The process that has claimed the job.
select d.pid from locum.job j join locum.dispatcher d using (incarnation) where j.id = $1::bigint
