-- failover_stale(age_ms bigint) -> count bigint
-- How many dispatchers have not pinged for so long, by what this server knows.
select count(*)
from locum.dispatcher_ping
where pinged_at < clock_timestamp() - make_interval(secs => $1::bigint / 1000.0)
