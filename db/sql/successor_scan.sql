-- successor_scan(id uuid, most int) -> incarnation, id, seq, age_ms, death_interval_ms, now_ms, server_age_ms, epoch, epoch_age_ms, size
-- What sibling_scan tells, of the first `most` living dispatchers from this id on, in the order of their ids. Costs the
-- same in a fleet of any size, which it does not count: size is null. Only who lives has a row of pings.
select ping.incarnation, ping.dispatcher_id as id, ping.seq,
	(date_part('epoch', clock_timestamp() - ping.pinged_at) * 1000)::bigint as age_ms, ping.death_interval_ms,
	(date_part('epoch', clock_timestamp()) * 1000)::bigint as now_ms,
	(date_part('epoch', clock_timestamp() - pg_postmaster_start_time()) * 1000)::bigint as server_age_ms,
	(select id from locum.epoch) as epoch,
	(select (date_part('epoch', clock_timestamp() - born) * 1000)::bigint from locum.epoch) as epoch_age_ms,
	null::bigint as size
from locum.dispatcher_ping as ping
where ping.dispatcher_id >= $1::uuid
order by ping.dispatcher_id
limit $2::int
