-- worker_list(ended_within_ms bigint)
--   -> id, incarnation, host, pid, version, state, started_at, last_ping, claimed, active, slots, deaths, ended_at, declared_by, declared_at, returned_at, evidence, _now
-- The dispatchers that live, and those that ended no longer ago than that; the living ones first. deaths: how
-- often the dispatcher was declared dead, in all its incarnations that are known.
select dispatcher.id, dispatcher.incarnation, host, pid, version, state::text, dispatcher.started_at,
	coalesce(ping.pinged_at, death.last_ping) as last_ping,
	(select count(*) from locum.job where job.incarnation = dispatcher.incarnation) as claimed,
	(select count(*) from locum.job
	where job.incarnation = dispatcher.incarnation and job.state = 'active') as active,
	(select sum(size) from locum.agent where agent.incarnation = dispatcher.incarnation) as slots,
	(select count(*) from locum.death as past where past.victim_id = dispatcher.id) as deaths,
	ended_at, declared_by, declared_at, returned_at, evidence::text::json as evidence,
	clock_timestamp() as _now
from locum.dispatcher
left join locum.dispatcher_ping as ping on ping.incarnation = dispatcher.incarnation
left join locum.death on death.victim_incarnation = dispatcher.incarnation
where state in ('running', 'draining')
	or ended_at > now() - $1::bigint * interval '1 millisecond'
order by ended_at desc nulls first, host, pid, dispatcher.seq
