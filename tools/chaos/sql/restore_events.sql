-- restore_events(until timestamptz) -> count bigint
select count(*) from locum_chaos.event where at <= $1::timestamptz
