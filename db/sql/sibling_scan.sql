-- sibling_scan(incarnation uuid) -> incarnation, id, seq, age_ms, death_interval_ms, now_ms, server_age_ms, epoch, epoch_age_ms
-- The living incarnations with the age of their last ping by the database's clock, this one included, and
-- what is needed to judge them: when the server started, and the epoch (null when it is missing). Above
-- LIMIT_SIBLINGS_WATCHED of them, only this one and its LIMIT_SUCCESSORS_WATCHED successors in the order of
-- their ids, wrapping. One that is not among the living sees all of them.
with living as materialized (
	select ping.*, dispatcher.id, row_number() over (order by dispatcher.id) as place,
		count(*) over () as size
	from locum.dispatcher_ping as ping
	join locum.dispatcher using (incarnation)
)
select living.incarnation, living.id, living.seq,
	(extract(epoch from clock_timestamp() - living.pinged_at) * 1000)::bigint as age_ms,
	living.death_interval_ms,
	(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms,
	(extract(epoch from clock_timestamp() - pg_postmaster_start_time()) * 1000)::bigint as server_age_ms,
	epoch.id as epoch,
	(extract(epoch from clock_timestamp() - epoch.born) * 1000)::bigint as epoch_age_ms
from living
left join living as self on self.incarnation = $1::uuid
left join locum.epoch on true
where living.size <= LIMIT_SIBLINGS_WATCHED or self.incarnation is null
	or (living.place - self.place + living.size) % living.size <= LIMIT_SUCCESSORS_WATCHED
order by living.id
