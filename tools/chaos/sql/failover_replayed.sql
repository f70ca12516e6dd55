-- failover_replayed(position pg_lsn) -> replayed boolean
select coalesce(max(replay_lsn) >= $1::pg_lsn, false) from pg_stat_replication
