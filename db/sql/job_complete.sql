-- job_complete(incarnation uuid, completion_id uuid, confirmed uuid[], ids bigint[], claim_ids uuid[], outcomes text[], results text[], errors text[], logs text[], started_ago_ms bigint[], delay_ms bigint[])
--   -> id, state
-- Ends runs by compare-and-swap on the claim; the rows that come back were accepted, the rest are for
-- completion_lookup. An outcome is a terminal state, or
--   retry      counts the attempt; due again after delay_ms
--   snooze     counts nothing; due again after delay_ms
--   release    counts nothing; ready again at once
--   interrupt  counts an interruption; the job's policy decides
--   recover    as interrupt for a run that had started, else as release; counts a recovery
-- started_ago_ms is -1 for a run that never started. A run that would go on is cancelled when somebody
-- asked for it. Leaves a receipt, or adds to the one of an earlier part of the same completion, and drops
-- those that the owner confirms. Ids ascend: the lock order.
with given as materialized (
	select *, outcome in ('completed', 'failed', 'cancelled') as ends,
		outcome = 'interrupt' or (outcome = 'recover' and ago_ms >= 0) as interrupts
	from unnest($4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[],
		$10::bigint[], $11::bigint[])
		as g (id, claim_id, outcome, result, error, log, ago_ms, delay_ms)
), done as (
	delete from locum.job
	using given
	where job.id = given.id and job.claim_id = given.claim_id
		and (given.ends or job.cancel_requested or (given.interrupts
			and locum.interruption_ends(job.on_interrupt, job.interruptions)))
	returning job.*, case when given.outcome = 'completed' then 'completed'::locum.job_state
			when given.outcome = 'cancelled' or (job.cancel_requested and not given.ends)
				then 'cancelled' else 'failed' end as ending,
		given.outcome, given.ends, given.interrupts, given.result, given.error as message, given.log as tail, given.ago_ms
), kept as (
	insert into locum.finished (id, created_at, run_at, started_at, claim_seq, retry_of, timeout_ms,
		queue_id, state, on_interrupt, priority, attempt, max_attempts, interruptions, recoveries,
		claim_id, incarnation, handler, submitted_by, key, traceparent, payload, result, error, log,
		history)
	select id, created_at, run_at,
		coalesce(started_at, case when ago_ms >= 0
			then now() - ago_ms * interval '1 millisecond' end),
		claim_seq, retry_of, timeout_ms, queue_id, ending, on_interrupt, priority,
		attempt + (ends or interrupts or outcome = 'retry')::int, max_attempts,
		interruptions + interrupts::int, recoveries + (outcome = 'recover')::int, claim_id, incarnation,
		handler, submitted_by, key, traceparent, payload, result::json,
		case when interrupts and ending = 'failed'
			then locum.interruption_error(on_interrupt, interruptions) else message end,
		tail, history
	from done
	where queue_id not in (select id from locum.queue where keep_finished = '0')
), back as (
	update locum.job
	set state = case when given.interrupts and job.on_interrupt = 'hold' then 'held'
			when given.outcome in ('retry', 'snooze') and given.delay_ms > 0 then 'scheduled'
			else 'pending' end::locum.job_state,
		lane = case when given.interrupts and job.on_interrupt = 'hold' then null
			when given.outcome in ('retry', 'snooze') and given.delay_ms > 0 then null else 0 end,
		run_at = case when given.interrupts and job.on_interrupt = 'hold' then null
			when given.outcome in ('retry', 'snooze')
			then clock_timestamp() + given.delay_ms * interval '1 millisecond'
			else job.run_at end,
		attempt = job.attempt + (given.outcome = 'retry')::int,
		interruptions = job.interruptions + given.interrupts::int,
		recoveries = job.recoveries + (given.outcome = 'recover')::int,
		claim_id = null, incarnation = null, started_at = null, claimed_at = null,
		error = coalesce(given.error, job.error), log = coalesce(given.log, job.log),
		history = locum.remember(job.history, locum.episode(job, given.outcome, given.error))
	from given
	where not given.ends
		and job.id = given.id and job.claim_id = given.claim_id and not job.cancel_requested
		and not (given.interrupts
			and locum.interruption_ends(job.on_interrupt, job.interruptions))
	returning job.id, job.state
), accepted as materialized (
	select id, ending as state from done union all select id, state from back
), receipt as (
	insert into locum.receipt (completion_id, incarnation, jobs)
	select $2::uuid, $1::uuid, array_agg(id) from accepted having count(*) > 0
	on conflict (completion_id) do update set jobs = receipt.jobs || excluded.jobs
), confirmed as (
	delete from locum.receipt where completion_id = any($3::uuid[])
)
select id, state::text from accepted
