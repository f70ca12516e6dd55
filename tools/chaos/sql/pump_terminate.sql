-- pump_terminate() -> terminated
-- Ends the sessions in which jobs are claimed and completed, while they do something if there is such a one.
select count(*) filter (where pg_terminate_backend(pid)) as terminated
from pg_stat_activity where application_name like 'locum/pump/%'
