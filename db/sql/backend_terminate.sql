-- backend_terminate(incarnation uuid) -> pid
-- Ends the connections of a silent incarnation, whose name carries it, so that their locks go.
select pid
from pg_stat_activity
where right(application_name, 36) = $1::uuid::text and pid <> pg_backend_pid()
	and pg_terminate_backend(pid)
