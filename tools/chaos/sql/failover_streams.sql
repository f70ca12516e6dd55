-- failover_streams(synchronous boolean) -> count bigint
-- How many standbys follow this server, in step with it if that is asked.
select count(*)
from pg_stat_replication
where state = 'streaming' and (sync_state <> 'async' or not $1::boolean)
