-- queue_find(names text[]) -> name, id, paused
-- The queues of these names that exist.
select name::text, id, paused from locum.queue where name = any($1::text[])
