select count(*) from pg_stat_activity
where wait_event_type = 'Lock' and wait_event = 'advisory' and application_name like 'locum/pump/%' || $1
