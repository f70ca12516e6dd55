-- job_list(state text, queue text, handler text, before bigint, most int, scan int, full boolean)
--   -> id, state, queue, handler, priority, attempt, max_attempts, interruptions, key, created_at, run_at, started_at, finished_at, error, payload, result, _now
-- Up to `most` jobs with an id below `before`, newest first; null filters let everything pass. Claimed jobs
-- are found by their owner, the others by walking down from the newest id, through at most `scan`
-- unfinished and as many finished ones, so that a filter that nothing passes ends. `full` adds payload and
-- result.
with wanted as materialized (
	select id from locum.queue where name = $2::text
), unfinished as (
	select * from locum.job
	where coalesce($1::text, 'pending') in ('waiting', 'scheduled', 'pending', 'held') and id < $4::bigint
	order by id desc limit $6::int
), claimed as (
	select * from locum.job
	where incarnation is not null and $1::text in ('assigned', 'active') and id < $4::bigint
), finished as (
	select * from locum.finished
	where coalesce($1::text, 'completed') in ('completed', 'failed', 'cancelled', 'expired')
		and id < $4::bigint
	order by id desc limit $6::int
), live as (
	(select * from unfinished
	where ($1::text is null or state = $1::text::locum.job_state)
		and ($2::text is null or queue_id = (select id from wanted))
		and ($3::text is null or handler = $3::text)
	order by id desc limit $5::int)
	union all
	(select * from claimed
	where state = $1::text::locum.job_state
		and ($2::text is null or queue_id = (select id from wanted))
		and ($3::text is null or handler = $3::text)
	order by id desc limit $5::int)
), found as (
	select id, state, queue_id, handler::text, priority, attempt + (state = 'active')::int as attempt,
		max_attempts, interruptions, key, created_at, run_at, started_at,
		null::timestamptz as finished_at, error, payload, null::json as result
	from live
	union all
	(select id, state, queue_id, handler, priority, attempt, max_attempts, interruptions, key,
		created_at, run_at, started_at, finished_at, error, payload, result
	from finished
	where ($1::text is null or state = $1::text::locum.job_state)
		and ($2::text is null or queue_id = (select id from wanted))
		and ($3::text is null or handler = $3::text)
	order by id desc limit $5::int)
)
select found.id, found.state::text, queue.name::text as queue, handler, priority::int,
	attempt::int, max_attempts::int, interruptions::int, key, found.created_at, run_at, started_at,
	finished_at, error, case when $7::boolean then payload end as payload,
	case when $7::boolean then result end as result, now() as _now
from found join locum.queue on queue.id = found.queue_id
order by found.id desc
limit $5::int
