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
	returning id, job as last
), ended as (
	select locum.finish(locum.unstarted(last), 'cancelled', null, 'cancelled before it started')
	from done
), back as (
	update locum.job
	set state = 'pending', lane = 0, claim_id = null, incarnation = null, started_at = null,
		claimed_at = null
	where id = any(array(select id from unknown)) and not cancel_requested
	returning id
)
select id from back union all select id from done where (select count(*) from ended) >= 0
