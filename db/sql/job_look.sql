-- job_look(queues int[], handlers text[], names text[], known int[]) -> ready, due, expired, changed
-- Whether there is anything to do for an agent whose last claim found nothing. Only reads, so that waiting costs little.
-- ready: there may be a job to claim in these queues for these handlers, from the head of the line. What job_claim would
-- leave out, because it is locked, suspected or being paused, counts.
-- due, expired: job_due or job_expire has something to do.
-- changed: a queue of these names is not as known, which is its id, negative while it is paused.
select exists (
	select from locum.job
	where queue_id = any($1::int[]) and lane >= 0 and handler = any($2::text[])
		and (expires_at is null or expires_at > now())
) as ready, exists (
	select from locum.job
	where run_at <= now() and lane is null and claim_id is null and state = 'scheduled'
) as due, exists (
	select from locum.job
	where expires_at <= now() and claim_id is null
) as expired, exists (
	select from locum.queue
	where name = any($3::text[]) and case when paused then -id else id end <> all($4::int[])
) as changed
