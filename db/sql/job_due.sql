-- job_due(most int) -> id
-- Makes up to `most` scheduled jobs whose time has come ready, at the head of their lines.
update locum.job
set state = 'pending', lane = 0
where id = any(array(
	select id
	from locum.job
	where run_at <= now() and lane is null and claim_id is null and state = 'scheduled'
	order by run_at
	limit $1::int
	for update skip locked
))
returning id
