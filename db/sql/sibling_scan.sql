-- sibling_scan(incarnation uuid) -> incarnation, id, seq, age_ms, death_interval_ms, now_ms, server_age_ms, epoch, epoch_age_ms, size
-- The living incarnations with the age of their last ping by the database's clock, this one included, and
-- what is needed to judge them: when the server started, and the epoch (null when it is missing). Above
-- LIMIT_SIBLINGS_WATCHED of them, only this one and its successors in the order of their ids, wrapping, up to the
-- LIMIT_SUCCESSORS_WATCHED-th that pings: the silent between them do not count, so that of many that die at once each is
-- watched. One that is not among the living sees all of them. size: how many live.
-- A row of pings that was lost does not come back, and its owner finds out by its next ping: it is shown as silent since
-- its start, with the sequence -1 and the longest death interval of all.
-- The pings are read from end to end: under an old snapshot each has many versions, and an index would lead to all of
-- them once for each dispatcher. That there is one epoch is said for the planner: expecting more, it has the plan
-- compiled, which takes as long as many scans.
with ping as materialized (
	select incarnation, seq, pinged_at, death_interval_ms from locum.dispatcher_ping
), known as materialized (
	select ping.*, dispatcher.id
	from ping
	join locum.dispatcher using (incarnation)
	union all
	select incarnation, -1, started_at,
		coalesce((select max(death_interval_ms) from ping), LIMIT_DEATH_INTERVAL_UNKNOWN_MS), id
	from locum.dispatcher
	where state in ('running', 'draining') and incarnation not in (select incarnation from ping)
), living as materialized (
	select known.*, row_number() over (order by id) as place, count(*) over () as size,
		(extract(epoch from clock_timestamp() - pinged_at) * 1000)::bigint as age_ms
	from known
), stepped as (
	select living.*, self.place is null as alone,
		(living.place - self.place + living.size) % living.size as steps
	from living
	cross join (select (select place from living where incarnation = $1::uuid) as place) as self
), watched as (
	select *, count(*) filter (where steps > 0 and age_ms * 3 <= death_interval_ms)
		over (order by steps rows between unbounded preceding and 1 preceding) as pinging_before
	from stepped
)
select watched.incarnation, watched.id, watched.seq, watched.age_ms, watched.death_interval_ms,
	(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms,
	(extract(epoch from clock_timestamp() - pg_postmaster_start_time()) * 1000)::bigint as server_age_ms,
	epoch.id as epoch,
	(extract(epoch from clock_timestamp() - epoch.born) * 1000)::bigint as epoch_age_ms,
	size
from watched
left join (select id, born from locum.epoch limit 1) as epoch on true
where size <= LIMIT_SIBLINGS_WATCHED or alone or pinging_before < LIMIT_SUCCESSORS_WATCHED
order by watched.id
