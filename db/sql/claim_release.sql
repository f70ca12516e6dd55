-- claim_release(ids bigint[], claim_ids uuid[]) -> id
-- Gives back jobs that were claimed and never started, as far as these claims still stand: a session that was given up may
-- do it late, when its owner has claimed the same jobs again. One that somebody wanted cancelled is. Rows that somebody holds
-- locked are skipped; fails with 55P03 rather than wait for somebody who is about to submit a job with the key of a follow-up.
with quick as materialized (
	select set_config('lock_timeout', LIMIT_LOCK_WAIT_MS::text, true)
), held as materialized (
	select job.id
	from quick, unnest($1::bigint[], $2::uuid[]) as given (id, claim_id)
	join locum.job on job.id = given.id and job.claim_id = given.claim_id
	order by job.id
	for update of job skip locked
), done as (
	delete from locum.job
	where id = any(array(select id from held)) and cancel_requested
	returning id, job as last
), ended as (
	select locum.finish(locum.unstarted(last), 'cancelled', null, 'cancelled before it started')
	from done
), back as (
	update locum.job
	set state = 'pending', lane = 0, claim_id = null, incarnation = null, started_at = null,
		claimed_at = null
	where id = any(array(select id from held)) and not cancel_requested
	returning id
)
select id from back union all select id from done where (select count(*) from ended) >= 0
