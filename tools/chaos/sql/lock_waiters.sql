-- lock_waiters(relation text) -> count bigint
-- Sessions of dispatchers that wait for this table.
select count(*) from pg_locks
join pg_stat_activity using (pid)
where not granted and relation = $1::text::regclass and application_name like 'locum/%/%'
