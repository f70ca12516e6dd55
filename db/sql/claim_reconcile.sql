-- claim_reconcile(incarnation uuid, known bigint[]) -> id
-- Gives back the jobs that the database counts as this incarnation's and of which it knows nothing: the
-- answer to their claim was lost with a connection, and they never started. One that somebody wanted
-- cancelled is.
with unknown as materialized (
	select id
	from locum.job
	where incarnation = $1::uuid and id not in (select unnest($2::bigint[]))
	order by id
	for update skip locked
), done as (
	delete from locum.job
	where id = any(array(select id from unknown)) and cancel_requested
	returning job.*
), kept as (
	insert into locum.finished (id, created_at, run_at, claim_seq, retry_of, timeout_ms, queue_id, state,
		on_interrupt, priority, attempt, max_attempts, interruptions, recoveries, handler,
		submitted_by, key, traceparent, payload, error, log, history)
	select done.id, done.created_at, run_at, claim_seq, retry_of, timeout_ms, queue_id, 'cancelled',
		on_interrupt, priority, attempt, max_attempts, interruptions, recoveries, handler,
		submitted_by, key, traceparent, payload, 'cancelled before it started', log, history
	from done
	join locum.queue on queue.id = done.queue_id and queue.keep_finished > interval '0'
), back as (
	update locum.job
	set state = 'pending', lane = 0, claim_id = null, incarnation = null, started_at = null,
		claimed_at = null
	where id = any(array(select id from unknown)) and not cancel_requested
	returning id
)
select id from back union all select id from done
