-- Telling a dispatcher that there is work, or a signal. Polling alone is correct; this makes it quick.

-- locum.tell(incarnation uuid): tells an incarnation that there is a signal for it. Without this it would find it
-- with its next ping.
create or replace function locum.tell(incarnation uuid) returns void
language sql as $$
	select pg_notify('locum_' || tell.incarnation, 'signal')
$$;

-- locum.wake(queue text, handler text): notifies one dispatcher that said it is idle and serves both, on its own
-- channel; nobody when all are busy, for NOTIFY takes a lock of the whole cluster at commit. In PL/pgSQL, which
-- keeps the plan: an SQL function would be planned for each job.
create or replace function locum.wake(queue text, handler text) returns void
language plpgsql as $$
begin
	perform pg_notify('locum_' || chosen.incarnation, '')
	from (
		select agent.incarnation
		from locum.agent
		where agent.idle and wake.queue = any(agent.queues)
			and wake.handler = any(agent.handlers)
		order by random()
		limit 1
	) as chosen;
end
$$;
