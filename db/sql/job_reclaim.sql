-- job_reclaim(incarnation uuid, most int) -> id, state
-- Takes up to `most` claims away from an incarnation that is not alive. Rows that somebody holds locked are
-- skipped; several siblings may reclaim one corpse together. A job that had not started goes back to the
-- head of its line; one that had was interrupted, and its policy decides; one that somebody wanted
-- cancelled is. The former owner is told nothing: should it live, its next ping says all.
with held as materialized (
	select id
	from locum.job
	where incarnation = $1::uuid
		and not exists (select from locum.dispatcher
			where incarnation = $1::uuid and state in ('running', 'draining'))
	order by id
	limit $2::int
	for update skip locked
), done as (
	delete from locum.job
	where id = any(array(select id from held))
		and (cancel_requested or (state = 'active'
			and locum.interruption_ends(on_interrupt, interruptions)))
	returning id, case when cancel_requested then 'cancelled' else 'failed' end::locum.job_state as ending,
		job as last
), ended as (
	select locum.finish(locum.reclaimed(last), ending, null,
		case when ending = 'cancelled' then 'cancelled; its worker died'
			else locum.interruption_error((last).on_interrupt, (last).interruptions) end)
	from done
), back as (
	update locum.job
	set state = case when state = 'active' and on_interrupt = 'hold' then 'held'
			else 'pending' end::locum.job_state,
		lane = case when state = 'active' and on_interrupt = 'hold' then null else 0 end,
		run_at = case when state = 'active' and on_interrupt = 'hold' then null else run_at end,
		interruptions = interruptions + (state = 'active')::int, recoveries = recoveries + 1,
		claim_id = null, incarnation = null, started_at = null, claimed_at = null,
		history = locum.remember(history, locum.episode(job,
			case when state = 'active' then 'interrupted' else 'reclaimed' end,
			'its dispatcher was declared dead'))
	where id = any(array(select id from held))
		and not (cancel_requested or (state = 'active'
			and locum.interruption_ends(on_interrupt, interruptions)))
	returning job.id, job.state
), taken as materialized (
	select id, state::text from back
	union all
	select id, ending::text from done
)
select id, state from taken where (select count(*) from ended) >= 0
