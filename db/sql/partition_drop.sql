-- partition_drop() -> command
-- The commands that drop the partitions that no queue keeps any more, to be run one by one outside of a
-- transaction block: DETACH CONCURRENTLY blocks nobody. One that was interrupted is taken up again.
with kept as (
	select (now() at time zone 'UTC')::date
		- coalesce(max(extract(epoch from keep_finished)), 0) / 86400 * interval '1 day' as since
	from locum.queue
), old as (
	select day.relname, inhrelid is not null as attached, coalesce(inhdetachpending, false) as pending
	from pg_class as day
	left join pg_inherits on inhrelid = day.oid and inhparent = 'locum.finished'::regclass
	cross join kept
	where day.relnamespace = 'locum'::regnamespace and day.relkind = 'r'
		and day.relname ~ '^finished_[0-9]{8}$'
		and to_date(right(day.relname, 8), 'YYYYMMDD') + 1 < kept.since
)
select command
from old
cross join lateral (values
	(1, case when attached then format('alter table locum.finished detach partition locum.%I %s',
		relname, case when pending then 'finalize' else 'concurrently' end) end),
	(2, format('drop table if exists locum.%I', relname))
) as step (n, command)
where command is not null
order by pending desc, relname, n
