-- sweep_count() -> waiting
-- How many sweeps wait for a lock. A transaction that looks again sees the same unless it asks for another snapshot.
select count(*) as waiting from pg_stat_clear_snapshot(), pg_stat_activity
where application_name like 'locum/sweep%' and wait_event_type = 'Lock'
