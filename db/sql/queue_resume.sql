-- queue_resume(name text) -> done
-- Whether there is such a queue.
select locum.queue_resume($1::text) as done
