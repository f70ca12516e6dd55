-- job_later(handler text) -> id
-- Submits a job that is not due yet, so that it can be changed before it is claimed.
select locum.submit($1::text, delay => interval '500 ms', max_attempts => 1) as id
