-- sweep_terminate() -> terminated
-- Ends one sweep that waits for a lock in the middle of its work.
select count(*) filter (where pg_terminate_backend(pid)) as terminated
from (select pid from pg_stat_activity
	where application_name like 'locum/sweep%' and wait_event_type = 'Lock' limit 1) sweep
