-- restore_events() -> count bigint
select count(*) from locum_chaos.event
