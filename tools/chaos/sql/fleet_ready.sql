-- fleet_ready(pids int[], fresh_ms bigint) -> count bigint
-- How many of these processes are dispatchers that ping and have agents that take jobs.
select count(*)
from unnest($1::int[]) process (pid)
where exists (
	select from locum.dispatcher d
	join locum.dispatcher_ping p using (incarnation)
	where d.pid = process.pid and d.state = 'running'
		and p.pinged_at > clock_timestamp() - make_interval(secs => $2::bigint / 1000.0)
		and exists (select from locum.agent a where a.incarnation = d.incarnation)
)
