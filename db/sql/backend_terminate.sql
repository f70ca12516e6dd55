-- backend_terminate(incarnation uuid) -> pid
-- Ends the connections of a silent incarnation, whose name carries it, so that their locks go, and waits
-- for each until it is gone, at most a second.
-- Materialized, for the planner would call the cheap pg_terminate_backend first, on everybody.
with silent as materialized (
	select pid
	from pg_stat_activity
	where right(application_name, 36) = $1::uuid::text and pid <> pg_backend_pid()
)
select pid from silent where pg_terminate_backend(pid, 1000)
