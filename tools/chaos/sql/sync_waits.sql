-- sync_waits(wait text) -> count bigint
-- Whether that wait goes on.
select count(*) from pg_stat_activity
where wait_event = 'SyncRep' and pid || ' ' || query_start::text = $1::text
