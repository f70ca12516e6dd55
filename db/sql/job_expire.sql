-- job_expire(most int) -> id
-- Ends up to `most` unclaimed jobs that were not to be started any more.
with gone as (
	delete from locum.job
	where id = any(array(
		select id
		from locum.job
		where expires_at <= now() and claim_id is null
		order by expires_at
		limit $1::int
		for update skip locked
	))
	returning *
), kept as (
	insert into locum.finished (id, created_at, run_at, claim_seq, retry_of, timeout_ms, queue_id, state,
		on_interrupt, priority, attempt, max_attempts, interruptions, recoveries, handler,
		submitted_by, key, traceparent, payload, error, log, history)
	select gone.id, gone.created_at, run_at, claim_seq, retry_of, timeout_ms, queue_id, 'expired',
		on_interrupt, priority, attempt, max_attempts, interruptions, recoveries, handler, submitted_by, key, traceparent, payload,
		'not started before it expired', log, history
	from gone
	join locum.queue on queue.id = gone.queue_id and queue.keep_finished > interval '0'
)
select id from gone
