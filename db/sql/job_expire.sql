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
	returning id, job as last
), ended as (
	select locum.finish(last, 'expired', null, 'not started before it expired') from gone
)
select id from gone where (select count(*) from ended) >= 0
