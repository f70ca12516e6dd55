-- failover_written() -> count bigint
-- What dispatchers did to jobs on this server; clients cancel what nobody has claimed.
select count(*)
from locum_chaos.event
where kind in ('claim', 'start', 'back', 'end') and incarnation is not null
