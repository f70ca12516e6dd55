-- queue_list()
--   -> name, paused, waiting, scheduled, pending, assigned, active, held, oldest_pending_at, keep_finished_ms, created_at, _now
-- The queues with their unfinished jobs by state, and since when the pending job that waits longest is ready.
select name::text, paused, coalesce(waiting, 0) as waiting, coalesce(scheduled, 0) as scheduled,
	coalesce(pending, 0) as pending, coalesce(assigned, 0) as assigned, coalesce(active, 0) as active,
	coalesce(held, 0) as held, oldest_pending_at,
	(extract(epoch from keep_finished) * 1000)::bigint as keep_finished_ms, created_at, now() as _now
from locum.queue
left join (
	select queue_id, count(*) filter (where state = 'waiting') as waiting,
		count(*) filter (where state = 'scheduled') as scheduled,
		count(*) filter (where state = 'pending') as pending,
		count(*) filter (where state = 'assigned') as assigned,
		count(*) filter (where state = 'active') as active,
		count(*) filter (where state = 'held') as held,
		min(greatest(created_at, run_at)) filter (where state = 'pending') as oldest_pending_at
	from locum.job
	group by queue_id
) as depth on depth.queue_id = queue.id
order by name
