-- sync_waiting() -> pid
-- A dispatcher's session that waits for a standby's word, with its transaction; no row: none does.
select pid || ' ' || query_start::text from pg_stat_activity
where wait_event = 'SyncRep' and application_name like 'locum/%/%'
order by query_start
limit 1
