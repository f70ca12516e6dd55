-- job_list(states text[], queues text[], handlers text[], labels text, since timestamptz, until timestamptz, by_end boolean, error text, key text, submitted_by text, lowest bigint, before bigint, most int, full boolean, by_label boolean)
--   -> id, state, queue, handler, priority, attempt, max_attempts, interruptions, key, labels, submitted_by, created_at, run_at, started_at, finished_at, ran_ms, retry_of, follows, error, payload, result, _now
-- Up to `most` jobs with lowest <= id < before, newest first; null filters let everything pass. since and
-- until bound created_at or, by_end, finished_at. Not to be prepared: the plan must know its filters, so that
-- one for what went wrong walks finished_not_completed, where it finds the states; they are spelt out, for an
-- array made from texts is no constant to it. by_label finds jobs by the index of their labels
-- instead of walking down the ids: "offset 0" keeps the order by id from luring the planner away from it.
-- `full` adds payload and result.
with wanted as materialized (
	select id from locum.queue where $2::text[] is null or name = any($2::text[])
), unfinished as (
	select id, state, queue_id, handler::text, priority, attempt + (state = 'active')::int as attempt,
		max_attempts, interruptions, key, labels, submitted_by, created_at, run_at, started_at,
		null::timestamptz as finished_at, retry_of, follows, error, payload::json, null::json as result
	from (
		select * from locum.job
		where not $15::boolean and id >= $11::bigint and id < $12::bigint
		union all
		(select * from locum.job
		where $15::boolean and id >= $11::bigint and id < $12::bigint
			and labels @> $4::text::jsonb offset 0)
	) as open
	where not $7::boolean
		and ($1::text[] is null or ($1::text[] && '{waiting,scheduled,pending,assigned,active,held}'
			and state = any($1::text[]::locum.job_state[])))
		and ($1::text[] is null or not $1::text[] <@ '{assigned,active}' or incarnation is not null)
		and (($2::text[] is null and $9::text is null) or queue_id = any(array(select id from wanted)))
		and ($3::text[] is null or handler = any($3::text[]))
		and ($4::text is null or labels @> $4::text::jsonb)
		and created_at between $5::timestamptz and $6::timestamptz
		and ($8::text is null or strpos(lower(error), lower($8::text)) > 0)
		and ($9::text is null or key = $9::text)
		and ($10::text is null or submitted_by = $10::text)
	order by id desc limit $13::int
), finished as (
	select id, state, queue_id, handler, priority, attempt, max_attempts, interruptions, key, labels,
		submitted_by, created_at, run_at, started_at, finished_at, retry_of, follows, error, payload,
		result
	from (
		select * from locum.finished
		where not $15::boolean and id >= $11::bigint and id < $12::bigint
			and (($8::text is null and ($1::text[] is null or 'completed' = any($1::text[])))
				or state <> 'completed')
		union all
		(select * from locum.finished
		where $15::boolean and id >= $11::bigint and id < $12::bigint
			and labels @> $4::text::jsonb offset 0)
	) as ended
	where ($1::text[] is null or ($1::text[] && '{completed,failed,cancelled,expired}'
			and state = any(array[
				case when 'completed' = any($1::text[]) then 'completed'::locum.job_state end,
				case when 'failed' = any($1::text[]) then 'failed'::locum.job_state end,
				case when 'cancelled' = any($1::text[]) then 'cancelled'::locum.job_state end,
				case when 'expired' = any($1::text[]) then 'expired'::locum.job_state end])))
		and ($2::text[] is null or queue_id = any(array(select id from wanted)))
		and ($3::text[] is null or handler = any($3::text[]))
		and ($4::text is null or labels @> $4::text::jsonb)
		and finished_at >= $5::timestamptz and ($7::boolean or created_at >= $5::timestamptz)
		and case when $7::boolean then finished_at else created_at end <= $6::timestamptz
		and ($8::text is null or strpos(lower(error), lower($8::text)) > 0)
		and ($9::text is null or key = $9::text)
		and ($10::text is null or submitted_by = $10::text)
	order by id desc limit $13::int
)
select job.id, job.state::text, queue.name::text as queue, handler, priority::int, attempt::int,
	max_attempts::int, interruptions::int, key, labels::text::json as labels, submitted_by,
	job.created_at, run_at, started_at, finished_at,
	case when started_at is not null and (finished_at is not null or state = 'active')
		then (extract(epoch from coalesce(finished_at, now()) - started_at) * 1000)::bigint
		end as ran_ms,
	retry_of, follows, error, case when $14::boolean then payload end as payload,
	case when $14::boolean then result end as result, now() as _now
from (select * from unfinished union all select * from finished) as job
join locum.queue on queue.id = job.queue_id
order by job.id desc
limit $13::int
