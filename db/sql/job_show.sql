-- job_show(id bigint) -> id, state, queue, handler, priority, attempt, max_attempts, interruptions, recoveries, on_interrupt, retry_delay_ms, retry_cap_ms, retry_backoff, timeout_ms, reassigned, cancel_requested, key, labels, retry_of, follows, then, submitted_by, traceparent, created_at, run_at, expires_at, claimed_at, started_at, finished_at, claim_seq, dispatcher_id, incarnation, host, pid, error, payload, checkpoint, progress, result, log, _now
-- All about one job but its earlier claims (job_episodes), its follow-ups (job_follow_ups) and its present
-- claim_id, which is a capability. `reassigned`: a sibling took a claim away from a dispatcher that was
-- declared dead. The retry policy is the one in force, as in locum.jobs.
with job as (
	select id, state, queue_id, handler::text, priority, attempt + (state = 'active')::int as attempt,
		max_attempts, interruptions, recoveries, on_interrupt, retry_delay_ms::bigint,
		retry_cap_ms::bigint, retry_backoff, timeout_ms, cancel_requested, key, labels, retry_of,
		follows, follow_ups, submitted_by, traceparent, created_at, run_at, expires_at, claimed_at,
		started_at, null::timestamptz as finished_at, claim_seq, incarnation, error, payload::json,
		checkpoint, progress, null::json as result, log, history
	from locum.job where id = $1::bigint
	union all
	select id, state, queue_id, handler, priority, attempt, max_attempts, interruptions, recoveries,
		on_interrupt, retry_delay_ms, retry_cap_ms, retry_backoff, timeout_ms, false, key, labels,
		retry_of, follows, follow_ups, submitted_by, traceparent, created_at, run_at, expires_at, null,
		started_at, finished_at, claim_seq, incarnation, error, payload, null, null,
		result, log, history
	from locum.finished where id = $1::bigint
)
select job.id, job.state::text, queue.name::text as queue, handler, priority::int, job.attempt::int,
	max_attempts::int, interruptions::int, recoveries::int, on_interrupt::text,
	coalesce(retry_delay_ms, LIMIT_RETRY_BASE_MS) as retry_delay_ms,
	coalesce(retry_cap_ms, greatest(retry_delay_ms, LIMIT_RETRY_CAP_MS)) as retry_cap_ms,
	coalesce(retry_backoff, 'exponential')::text as retry_backoff,
	timeout_ms, coalesce(history @? '$[*] ? (@.outcome == "interrupted" || @.outcome == "reclaimed")',
		false) as reassigned,
	cancel_requested, key, labels::text::json as labels, retry_of, follows, follow_ups as "then",
	submitted_by, traceparent, job.created_at, run_at, expires_at, claimed_at, job.started_at,
	finished_at, claim_seq, dispatcher.id as dispatcher_id, job.incarnation, host, pid, error, payload,
	checkpoint, progress, result, log, clock_timestamp() as _now
from job
join locum.queue on queue.id = job.queue_id
left join locum.dispatcher on dispatcher.incarnation = job.incarnation
