-- session_terminate(percent int) -> count bigint
-- Ends so many of the sessions of dispatchers and waits for their ends. How many those were.
select count(*)
from (
	select pg_terminate_backend(pid, 5000) as gone
	from pg_stat_activity
	where application_name like 'locum/%/%' and random() * 100 < $1::int
) as sessions
where gone
