-- What outsiders may read.

-- locum.jobs: unfinished and finished jobs in one. The retry policy is the one in force, given or default.
create or replace view locum.jobs as
select j.id, q.name as queue, j.handler::text, j.state::text, j.priority::smallint,
	j.attempt + (j.state = 'active')::int as attempt, j.max_attempts::smallint, j.interruptions,
	j.recoveries, j.payload::json, null::json as result, j.error, j.log, j.key::text,
	j.submitted_by::text, j.created_at, j.run_at, j.expires_at, j.claimed_at, j.started_at,
	null::timestamptz as finished_at,
	d.id as dispatcher_id, j.incarnation, j.claim_id, j.claim_seq, j.retry_of, j.cancel_requested,
	j.history, j.labels, j.follows, j.follow_ups as "then", j.on_interrupt::text, j.traceparent::text,
	j.timeout_ms * interval '1 millisecond' as timeout,
	coalesce(j.retry_delay_ms, LIMIT_RETRY_BASE_MS) * interval '1 millisecond' as retry_delay,
	coalesce(j.retry_cap_ms, greatest(j.retry_delay_ms, LIMIT_RETRY_CAP_MS))
		* interval '1 millisecond' as retry_cap,
	coalesce(j.retry_backoff, 'exponential')::text as retry_backoff
from locum.job j
join locum.queue q on q.id = j.queue_id
left join locum.dispatcher d on d.incarnation = j.incarnation
union all
select f.id, q.name, f.handler, f.state::text, f.priority, f.attempt, f.max_attempts, f.interruptions,
	f.recoveries, f.payload, f.result, f.error, f.log, f.key, f.submitted_by, f.created_at, f.run_at,
	f.expires_at, null, f.started_at, f.finished_at, d.id, f.incarnation, f.claim_id, f.claim_seq,
	f.retry_of, false, f.history, f.labels, f.follows, f.follow_ups, f.on_interrupt::text, f.traceparent,
	f.timeout_ms * interval '1 millisecond',
	coalesce(f.retry_delay_ms, LIMIT_RETRY_BASE_MS) * interval '1 millisecond',
	coalesce(f.retry_cap_ms, greatest(f.retry_delay_ms, LIMIT_RETRY_CAP_MS)) * interval '1 millisecond',
	coalesce(f.retry_backoff, 'exponential')::text
from locum.finished f
join locum.queue q on q.id = f.queue_id
left join locum.dispatcher d on d.incarnation = f.incarnation;

-- locum.dispatchers: the latest incarnation of each dispatcher.
create or replace view locum.dispatchers as
select distinct on (d.id) d.id, d.incarnation, d.host, d.pid, d.version, d.state::text,
	coalesce(p.pinged_at, dead.last_ping) as last_ping, p.death_interval_ms, d.started_at, d.ended_at,
	(select count(*) from locum.job j where j.incarnation = d.incarnation) as claimed,
	(select sum(a.size) from locum.agent a where a.incarnation = d.incarnation) as slots
from locum.dispatcher d
left join locum.dispatcher_ping p on p.incarnation = d.incarnation
left join locum.death dead on dead.victim_incarnation = d.incarnation
order by d.id, d.seq desc;

-- locum.queues: each queue with its unfinished jobs by state.
create or replace view locum.queues as
select q.id, q.name, q.paused, q.keep_finished, q.created_at, coalesce(n.pending, 0) as pending,
	coalesce(n.scheduled, 0) as scheduled, coalesce(n.claimed, 0) as claimed,
	coalesce(n.held, 0) as held
from locum.queue q
left join (
	select queue_id, count(*) filter (where state = 'pending') as pending,
		count(*) filter (where state = 'scheduled') as scheduled,
		count(*) filter (where state in ('assigned', 'active')) as claimed,
		count(*) filter (where state = 'held') as held
	from locum.job group by queue_id
) as n on n.queue_id = q.id;

-- locum.deaths: the death certificates.
create or replace view locum.deaths as
select victim_id, victim_incarnation, declared_by, declared_at, last_ping, evidence, reclaimed,
	reclaimed_at, returned_at
from locum.death;
