-- completion_check(ids bigint[], claim_ids uuid[], queues int[], ages_ms bigint[]) -> id, claim_id, found
-- Which of these completions, which were acknowledged so long ago, are not stored, and what is found of the
-- job instead: its state, `another run` when one under another claim ended it, or `gone`. What its queue need
-- not keep so long is not missed; the minute is for clocks that differ.
select given.id, given.claim_id,
	case when finished.id is not null then 'another run' else coalesce(job.state::text, 'gone') end as found
from unnest($1::bigint[], $2::uuid[], $3::int[], $4::bigint[]) as given (id, claim_id, queue_id, age_ms)
left join locum.finished on finished.id = given.id
left join locum.job on job.id = given.id
left join locum.queue on queue.id = given.queue_id
where finished.claim_id is distinct from given.claim_id
	and (finished.id is not null or job.id is not null
		or (given.age_ms + 60000) * interval '1 millisecond'
			< coalesce(queue.keep_finished, make_interval(days => LIMIT_RETENTION_DAYS)))
