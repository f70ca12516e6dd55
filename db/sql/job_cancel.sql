-- job_cancel(id bigint) -> cancelled
-- Whether the job was unfinished and is or will be cancelled.
select locum.cancel($1::bigint) as cancelled
