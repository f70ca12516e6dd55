-- job_reclaim(incarnation uuid, most int, passed int) -> id, state
-- Takes up to `most` claims away from an incarnation that is not alive. Rows that somebody holds locked are
-- skipped; several siblings may reclaim one corpse together. A job that had not started goes back to the
-- head of its line; one that had was interrupted, and its policy decides; one that somebody wanted
-- cancelled is. Where jobs were on probation it is they who are suspected: the interruption counts for none
-- that ran beside them. They are taken last, so that each call sees whether there are any. The former owner
-- is told nothing: should it live, its next ping says all. Fails with 55P03 rather than wait for somebody who is about
-- to submit a job with the key of a follow-up; the first `passed` claims are passed over.
with quick as materialized (
	select set_config('lock_timeout', LIMIT_LOCK_WAIT_MS::text, true)
), died as materialized (
	select coalesce(
		(select last_ping from locum.death where victim_incarnation = $1::uuid),
		(select ended_at from locum.dispatcher where incarnation = $1::uuid)) as at
), suspected as materialized (
	select exists (select from locum.job
		where incarnation = $1::uuid and state = 'active'
			and locum.on_probation(recoveries, started_at, (select at from died))) as found
), held as materialized (
	select id, state = 'active' and (on_interrupt <> 'retry' or not (select found from suspected)
		or locum.on_probation(recoveries, started_at, (select at from died))) as counts
	from quick, locum.job
	where incarnation = $1::uuid
		and not exists (select from locum.dispatcher
			where incarnation = $1::uuid and state in ('running', 'draining'))
	order by state = 'active' and recoveries > 0, id
	limit $2::int offset $3::int
	for update of job skip locked
), done as (
	delete from locum.job
	using held
	where job.id = held.id
		and (cancel_requested or (held.counts and locum.interruption_ends(on_interrupt, interruptions)))
	returning job.id, case when cancel_requested then 'cancelled' else 'failed' end::locum.job_state as ending,
		job as last, held.counts
), ended as (
	select locum.finish(locum.reclaimed(last, counts), ending, null,
		case when ending = 'cancelled' then 'cancelled; its worker died'
			else locum.interruption_error((last).on_interrupt, (last).interruptions) end)
	from done
), back as (
	update locum.job
	set state = case when held.counts and on_interrupt = 'hold' then 'held'
			else 'pending' end::locum.job_state,
		lane = case when held.counts and on_interrupt = 'hold' then null else 0 end,
		run_at = case when held.counts and on_interrupt = 'hold' then null else run_at end,
		interruptions = interruptions + held.counts::int, recoveries = recoveries + 1,
		claim_id = null, incarnation = null, started_at = null, claimed_at = null,
		history = locum.remember(history, locum.episode(job,
			case when state = 'active' then 'interrupted' else 'reclaimed' end,
			'its dispatcher was declared dead'))
	from held
	where job.id = held.id
		and not (cancel_requested or (held.counts and locum.interruption_ends(on_interrupt, interruptions)))
	returning job.id, job.state
), taken as materialized (
	select id, state::text from back
	union all
	select id, ending::text from done
)
select id, state from taken where (select count(*) from ended) >= 0
