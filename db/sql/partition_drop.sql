-- partition_drop() -> command
-- The commands that drop the partitions that no queue keeps any more, to be run one by one outside of a
-- transaction block: DETACH CONCURRENTLY blocks nobody.
with kept as (
	select (now() at time zone 'UTC')::date - greatest(max(extract(epoch from keep_finished)), 0)
		/ 86400 * interval '1 day' as since
	from locum.queue
), old as (
	select child.relname, inhdetachpending
	from pg_inherits
	join pg_class as child on child.oid = inhrelid
	cross join kept
	where inhparent = 'locum.finished'::regclass and child.relname ~ '^finished_[0-9]{8}$'
		and to_date(right(child.relname, 8), 'YYYYMMDD') + 1 < kept.since
)
select command
from old
cross join lateral (values
	(1, format('alter table locum.finished detach partition locum.%I %s', relname,
		case when inhdetachpending then 'finalize' else 'concurrently' end)),
	(2, format('drop table if exists locum.%I', relname))
) as step (n, command)
order by relname, n
