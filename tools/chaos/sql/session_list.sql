-- session_list() -> pids text
-- The sessions of dispatchers, and who writes the log for those that do not wait.
select string_agg(pid::text, ',') from pg_stat_activity
where application_name like 'locum/%/%' or backend_type in ('walwriter', 'client backend')
