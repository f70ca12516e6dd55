-- job_follow_ups(id bigint) -> id, state, queue, handler, _now
-- The jobs that the end of this one submitted, oldest first.
select found.id, found.state::text, queue.name::text as queue, handler, now() as _now
from (
	select id, state, queue_id, handler::text from locum.job where follows = $1::bigint
	union all
	select id, state, queue_id, handler from locum.finished where follows = $1::bigint
) as found
join locum.queue on queue.id = found.queue_id
order by found.id
