-- queue_delete(name text) -> done
-- Whether there is such a queue.
select locum.queue_delete($1::text) as done
