-- sibling_scan(incarnation uuid) -> incarnation, id, seq, age_ms, death_interval_ms, now_ms, server_age_ms, epoch, epoch_age_ms
-- Every living incarnation with the age of its last ping by the database's clock, this one included, and
-- what is needed to judge it: when the server started, and the epoch (null when it is missing).
select ping.incarnation, dispatcher.id, ping.seq,
	(extract(epoch from clock_timestamp() - ping.pinged_at) * 1000)::bigint as age_ms,
	ping.death_interval_ms,
	(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms,
	(extract(epoch from clock_timestamp() - pg_postmaster_start_time()) * 1000)::bigint as server_age_ms,
	epoch.id as epoch,
	(extract(epoch from clock_timestamp() - epoch.born) * 1000)::bigint as epoch_age_ms
from locum.dispatcher_ping as ping
join locum.dispatcher using (incarnation)
left join locum.epoch on true
order by dispatcher.id
