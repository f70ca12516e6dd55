-- job_claim(incarnation uuid, claim_id uuid, queues int[], priorities int[], lanes int[], cursors bigint[], handlers text[], most int, probation boolean)
--   -> id, queue_id, priority, lane, handler, attempt, max_attempts, claim_seq, interruptions, recoveries, on_interrupt, timeout_ms, expires_in_ms, payload, traceparent, checkpoint, place
-- Claims up to `most` ready jobs of these handlers for a running dispatcher, under one claim_id.
-- queues, priorities, lanes and cursors are the index ranges to scan, in this order; a cursor is the lowest
-- id that is looked at. Rows that a sibling holds are skipped, so dispatchers never wait for each other.
-- A queue that is paused, or being paused, gives nothing: see locum.claimable.
-- The share lock on the dispatcher's row keeps it from being declared dead before this commits.
-- The row comparison and the order by lane leave job_ready as the only index that serves: by id alone the
-- primary key would too, and walk over every row that was claimed before.
-- What is locked is where it was found, so that the update needs no index; what somebody changed between the look and
-- the lock is left to the next claim.
-- Of jobs that deaths interrupted LIMIT_SUSPECTED times or more one is taken, and with probation false none.
-- What is sent costs more than what is compared: attempt, max_attempts, interruptions, recoveries, on_interrupt and
-- timeout_ms are null where they are as by default.
-- place: where the row stands until it is changed, for job_complete.
-- expires_in_ms: how long it may still be started; null: for ever. A payload over LIMIT_PAYLOAD_INLINE_BYTES comes as null: job_payload fetches it.
with self as materialized (
	select from locum.dispatcher
	where incarnation = $1::uuid and state = 'running'
	for share
), open as materialized (
	select locum.claimable($3::int[]) as queues
), suspect as materialized (
	select found.ctid
	from self
	cross join unnest($3::int[], $4::int[], $5::int[]) as place (queue_id, priority, lane)
	cross join lateral (
		select victim.ctid
		from locum.job as victim
		where victim.queue_id = place.queue_id and victim.priority = place.priority
			and victim.lane = 0 and victim.interruptions >= LIMIT_SUSPECTED and victim.recoveries > 0
			and victim.handler = any($7::text[])
			and (victim.expires_at is null or victim.expires_at > now())
		order by victim.id
		for update skip locked
	) as found
	where $9::boolean and place.lane = 0 and place.queue_id = any((select queues from open)::int[])
	limit 1
)
update locum.job
set state = 'assigned', lane = -1 - lane, claim_id = $2::uuid, claim_seq = claim_seq + 1,
	incarnation = $1::uuid, claimed_at = now(), started_at = null
where ctid = any((select array_agg(ctid) from suspect) || array(
	select ready.ctid
	from self
	cross join unnest($3::int[], $4::int[], $5::int[], $6::bigint[])
		as range (queue_id, priority, lane, lowest)
	cross join lateral (
		select candidate.ctid
		from locum.job as candidate
		where candidate.queue_id = range.queue_id
			and candidate.priority = range.priority
			and (candidate.lane, candidate.id) >= (range.lane, range.lowest)
			and candidate.lane <= range.lane
			and candidate.lane >= 0
			and candidate.handler = any($7::text[])
			and (candidate.interruptions < LIMIT_SUSPECTED or candidate.recoveries = 0)
			and (candidate.expires_at is null or candidate.expires_at > now())
		order by candidate.lane, candidate.id
		for update skip locked
	) as ready
	where range.queue_id = any((select queues from open)::int[])
	limit $8::int - (select count(*) from suspect)
))
returning id, queue_id, priority::int, (-1 - lane)::int as lane, handler::text, nullif(attempt, 0)::int as attempt,
	nullif(max_attempts, LIMIT_ATTEMPTS_DEFAULT)::int as max_attempts, claim_seq,
	nullif(interruptions, 0)::int as interruptions, nullif(recoveries, 0)::int as recoveries,
	nullif(on_interrupt, 'retry')::text as on_interrupt, timeout_ms,
	case when expires_at is not null
		then ceil(extract(epoch from expires_at - clock_timestamp()) * 1000)::bigint end as expires_in_ms,
	case when octet_length(json_send(payload)) <= LIMIT_PAYLOAD_INLINE_BYTES then payload::json end as payload,
	traceparent, checkpoint, ctid as place
