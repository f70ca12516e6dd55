-- agent_save(incarnation uuid, name text, size int, queues text[], handlers text[], broken text[]) -> nothing
insert into locum.agent (incarnation, name, size, queues, handlers, broken)
values ($1::uuid, $2::text, $3::int, $4::text[], $5::text[], $6::text[])
on conflict (incarnation, name) do update
set size = excluded.size, queues = excluded.queues, handlers = excluded.handlers,
	broken = excluded.broken
