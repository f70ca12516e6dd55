-- queue_pause(name text) -> done
-- Whether there is such a queue.
select locum.queue_pause($1::text) as done
