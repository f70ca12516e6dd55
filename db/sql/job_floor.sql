-- job_floor(before bigint, scan bigint, unfinished boolean, completed boolean, rest boolean, states text[])
--   -> lowest, reached
-- How far down a search goes that looks at `scan` unfinished jobs below `before` and at as many finished
-- ones, of those sorts that are wanted: `rest` is what finished without being completed, of which only the
-- states that are wanted count (null: all): that costs no more than their index. lowest is 0 when
-- there are no more. reached: when that job was submitted; read apart, so that an index tells the ids alone.
with floor as materialized (
	select greatest(0,
		(select id from locum.job
		where $3::boolean and id < $1::bigint order by id desc offset $2::bigint limit 1),
		(select id from locum.finished
		where $4::boolean and id < $1::bigint order by id desc offset $2::bigint limit 1),
		(select id from locum.finished
		where $5::boolean and not $4::boolean and state <> 'completed' and id < $1::bigint
			and ($6::text[] is null or state = any(array(
				select wanted::locum.job_state from unnest($6::text[]) as wanted)))
		order by id desc offset $2::bigint limit 1)) as id
)
select id as lowest, coalesce((select created_at from locum.job where job.id = floor.id),
	(select created_at from locum.finished where finished.id = floor.id limit 1),
	'-infinity') as reached
from floor
