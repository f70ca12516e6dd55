-- job_complete(incarnation uuid, completion_id uuid, confirmed uuid[], ids bigint[], claim_ids uuid[], outcomes text[], results text[], errors text[], logs text[], started_ago_ms bigint[], delay_ms bigint[], skip boolean, places tid[])
--   -> id, state
-- Ends runs by compare-and-swap on the claim; the rows that come back were accepted, the rest are for
-- completion_lookup. A text may be null, and so may be all of a kind when their array is empty. An outcome is a
-- terminal state, null for completed, or
--   retry      counts the attempt; due again after delay_ms, or when it is -1 as the job's policy says
--   snooze     counts nothing; due again likewise
--   release    counts nothing; ready again at once
--   interrupt  counts an interruption; the job's policy decides
--   recover    as interrupt for a run that had started, else as release; counts a recovery
-- started_ago_ms is -1 for a run that never started. A run that would go on is cancelled when somebody
-- asked for it. Leaves a receipt, or adds to the one of an earlier part of the same completion, and drops
-- those that the owner confirms. The follow-ups of what ended are stored with it. Ids ascend: the lock order.
-- A row is looked for where it stood when it was claimed, which is cheaper than to ask an index, and by its id alone
-- where its place is (0,0) or not given; what stands there is compared all the same. One that has moved is not accepted.
-- Rows that somebody else holds locked are left out. With skip that is found out by locking each of the others, which
-- costs more; without, by the look of the row: its xmax is that of a transaction that runs, and no dispatcher's, for
-- those are short. What looks otherwise is waited for, for at most LIMIT_LOCK_WAIT_MS ms (55P03), as is whoever is about
-- to submit a job with the key of a follow-up.
with quick as materialized (
	select set_config('lock_timeout', LIMIT_LOCK_WAIT_MS::text, true)
), free as materialized (
	select job.id
	from unnest($4::bigint[], $5::uuid[]) as g (id, claim_id)
	join locum.job on job.id = g.id and job.claim_id = g.claim_id
	where $12::boolean
	for update of job skip locked
), given as materialized (
	-- Each array that is unnested is stored once more; numbers are as quickly found by their place.
	select coalesce(nullif(($13::tid[])[n], '(0,0)'),
			(select found.ctid from locum.job as found where found.id = g.id)) as place,
		id, ($5::uuid[])[n] as claim_id, outcome, result, error, log, ($10::bigint[])[n] as ago_ms,
		case when outcome in ('retry', 'snooze') then coalesce(($11::bigint[])[n], -1) end as delay_ms,
		outcome is null or outcome in ('completed', 'failed', 'cancelled') as ends,
		outcome is not null and (outcome = 'interrupt'
			or (outcome = 'recover' and ($10::bigint[])[n] >= 0)) as interrupts
	from quick
	cross join unnest($4::bigint[], $6::text[], $7::text[], $8::text[], $9::text[]) with ordinality
		as g (id, outcome, result, error, log, n)
	where not $12::boolean or id in (select free.id from free)
), done as (
	delete from locum.job
	using given
	where job.ctid = given.place and job.id = given.id and job.claim_id = given.claim_id
		and ($12::boolean or job.xmax = job.xmin or job.xmax = '0' or job.xmax <> all (array(
			select backend_xid from pg_stat_get_activity(null)
			where backend_xid is not null
				and (application_name like 'locum/job/%' or application_name not like 'locum/%'))))
		and (given.ends or job.cancel_requested or (given.interrupts
			and locum.interruption_ends(job.on_interrupt, job.interruptions)))
	returning job.id, case when given.outcome is null or given.outcome = 'completed' then 'completed'::locum.job_state
			when given.outcome = 'cancelled' or (job.cancel_requested and not given.ends)
				then 'cancelled' else 'failed' end as ending,
		case when given.interrupts and not job.cancel_requested
			then locum.interruption_error(job.on_interrupt, job.interruptions)
			else given.error end as message,
		given.outcome, given.ends, given.interrupts, given.result, given.log as tail, given.ago_ms,
		started_at, attempt, interruptions, recoveries, job.claim_id, incarnation, history,
		-- include: db/columns/kept.sql
), kept as (
	insert into locum.finished (
		-- include: db/columns/kept.sql
		, id, state, started_at, attempt, interruptions, recoveries, claim_id, incarnation, result, error,
		log, history)
	select
		-- include: db/columns/kept.sql
		, id, ending,
		coalesce(started_at, case when ago_ms >= 0
			then now() - ago_ms * interval '1 millisecond' end),
		attempt + (ends or interrupts or outcome = 'retry')::int, interruptions + interrupts::int,
		recoveries + (outcome is not null and outcome = 'recover')::int, claim_id, incarnation, result::json, message, tail,
		history
	from done
	where queue_id <> all (array(select id from locum.queue where keep_finished = '0'))
), back as (
	update locum.job
	set state = case when given.interrupts and job.on_interrupt = 'hold' then 'held'
			when locum.waits(given.delay_ms, job.retry_delay_ms, job.retry_cap_ms) then 'scheduled'
			else 'pending' end::locum.job_state,
		lane = case when given.interrupts and job.on_interrupt = 'hold'
			or locum.waits(given.delay_ms, job.retry_delay_ms, job.retry_cap_ms) then null else 0 end,
		run_at = case when given.interrupts and job.on_interrupt = 'hold' then null
			when given.delay_ms is null then job.run_at
			else clock_timestamp() + case when given.delay_ms >= 0 then given.delay_ms
				else locum.retry_pause_ms(job.attempt + 1, job.retry_delay_ms,
					job.retry_cap_ms, job.retry_backoff) end
				* interval '1 millisecond' end,
		attempt = job.attempt + (given.outcome = 'retry')::int,
		interruptions = job.interruptions + given.interrupts::int,
		recoveries = job.recoveries + (given.outcome = 'recover')::int,
		claim_id = null, incarnation = null, started_at = null, claimed_at = null,
		error = coalesce(given.error, job.error), log = coalesce(given.log, job.log),
		history = locum.remember(job.history, locum.episode(job, given.outcome, given.error))
	from given
	where not given.ends
		and job.ctid = given.place and job.id = given.id and job.claim_id = given.claim_id
		and not job.cancel_requested
		and ($12::boolean or job.xmax = job.xmin or job.xmax = '0' or job.xmax <> all (array(
			select backend_xid from pg_stat_get_activity(null)
			where backend_xid is not null
				and (application_name like 'locum/job/%' or application_name not like 'locum/%'))))
		and not (given.interrupts
			and locum.interruption_ends(job.on_interrupt, job.interruptions))
	returning job.id, job.state
), accepted as materialized (
	-- To cast an enum means to look for its name.
	select id, case when ending = 'completed' then 'completed' else ending::text end as state,
		case when follow_ups is not null
		then locum.follow(id, queue_id, handler, submitted_by, traceparent, follow_ups, ending,
			result::json, message) is null end as followed
	from done
	union all
	select id, state::text, null from back
), receipt as (
	insert into locum.receipt (completion_id, incarnation, jobs)
	select $2::uuid, $1::uuid, array_agg(id) from accepted having count(*) > 0
	on conflict (completion_id) do update set jobs = receipt.jobs || excluded.jobs
), confirmed as (
	delete from locum.receipt where completion_id = any($3::uuid[])
)
select id, state from accepted
