-- sweep_count() -> waiting
-- How many sweeps wait for a lock.
select count(*) as waiting from pg_stat_activity
where application_name like 'locum/sweep%' and wait_event_type = 'Lock'
