-- queue_set(name text, keep_finished_ms bigint) -> done
-- Whether there is such a queue.
select locum.queue_set($1::text, $2::bigint * interval '1 millisecond') as done
