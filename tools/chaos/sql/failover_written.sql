-- failover_written() -> count bigint
-- What was done to jobs on this server by dispatchers.
select count(*) from locum_chaos.event where kind in ('claim', 'start', 'back', 'end')
