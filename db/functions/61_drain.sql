-- Asking a dispatcher to stop.

-- locum.drain(dispatcher uuid): asks the dispatcher with this id to drain, as SIGTERM does: it claims nothing more,
-- hands back what it has not started, finishes what runs for at most its drain_timeout, and ends. It learns it at
-- once, or with its next ping. Returns whether there is such a dispatcher that is alive; one that drains already is told nothing.
create or replace function locum.drain(dispatcher uuid) returns boolean
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
begin
	perform locum.tell(d.incarnation) from locum.dispatcher d
	where d.id = drain.dispatcher and d.state = 'running';
	insert into locum.signal (incarnation, kind)
	select d.incarnation, 'drain' from locum.dispatcher d
	where d.id = drain.dispatcher and d.state = 'running' and not exists (
		select from locum.signal s where s.incarnation = d.incarnation and s.kind = 'drain');
	return exists (select from locum.dispatcher d
		where d.id = drain.dispatcher and d.state in ('running', 'draining'));
end
$$;
