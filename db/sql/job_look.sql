-- job_look(queues int[], priorities int[], lanes int[], cursors bigint[], whole boolean, handlers text[], names text[], known int[])
--   -> ready, due, expired, changed
-- Whether there is anything to do for an agent whose last claim found nothing. Only reads, so that waiting costs little.
-- ready: there may be a job to claim. The ranges are those of job_claim or, if whole, each goes on to the end of its
-- queue. Looks less closely than job_claim: what is locked, suspected or being paused counts.
-- due, expired: job_due or job_expire has something to do.
-- changed: of the queues of these names one is not as known: its id, negative while it is paused, 0 if there is none.
select exists (
	select from unnest($1::int[], $2::int[], $3::int[], $4::bigint[]) as range (queue_id, priority, lane, lowest)
	cross join lateral (
		select from locum.job as candidate
		where candidate.queue_id = range.queue_id
			and (candidate.priority, candidate.lane, candidate.id)
				>= (range.priority, range.lane, range.lowest)
			and (candidate.priority, candidate.lane) <= (
				case when $5::boolean then LIMIT_PRIORITY_MAX + 1 else range.priority end, range.lane)
			and candidate.lane >= 0
			and candidate.handler = any($6::text[])
			and (candidate.expires_at is null or candidate.expires_at > now())
		order by candidate.priority, candidate.lane, candidate.id
		limit 1
	) as found
) as ready, exists (
	select from locum.job
	where run_at <= now() and lane is null and claim_id is null and state = 'scheduled'
) as due, exists (
	select from locum.job
	where expires_at <= now() and claim_id is null
) as expired, exists (
	select from unnest($7::text[], $8::int[]) as known (name, id)
	left join locum.queue using (name)
	where known.id <> case when queue.paused then -queue.id else coalesce(queue.id, 0) end
) as changed
