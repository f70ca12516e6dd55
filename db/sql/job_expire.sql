-- job_expire(most int) -> id
-- Ends up to `most` unclaimed jobs that were not to be started any more. Fails with 55P03 rather than wait for
-- somebody who is about to submit a job with the key of a follow-up.
with quick as materialized (
	select set_config('lock_timeout', LIMIT_LOCK_WAIT_MS::text, true)
), gone as (
	delete from locum.job
	where id = any(array(
		select id
		from quick, locum.job
		where expires_at <= now() and claim_id is null
		order by expires_at
		limit $1::int
		for update of job skip locked
	))
	returning id, job as last
), ended as (
	select locum.finish(last, 'expired', null, 'not started before it expired') from gone
)
select id from gone where (select count(*) from ended) >= 0
