-- dispatcher_register(id uuid, incarnation uuid, former uuid, host text, pid int, machine_id text, version text, death_interval_ms bigint)
--   -> registered, host, pid, age_ms
-- Registers a new incarnation, unless another one of the same id is alive: then registered is false and
-- the rest says who (nulls: it registered at this very moment; ask again). `former` is the incarnation
-- that this process proved to be its own corpse (it holds the lock of the state file that names it): on
-- the same machine it is buried at once. To register again an incarnation that lives already, because the
-- answer was lost, changes nothing and succeeds.
with alive as materialized (
	select incarnation, dispatcher.host, dispatcher.pid, dispatcher.machine_id
	from locum.dispatcher
	where id = $1::uuid and state in ('running', 'draining')
	for no key update
), corpse as materialized (
	select incarnation from alive where incarnation = $3::uuid and machine_id = $6::text
), unpinged as (
	delete from locum.dispatcher_ping
	where incarnation in (select incarnation from corpse)
	returning incarnation, pinged_at
), buried as (
	update locum.dispatcher set state = 'dead', ended_at = clock_timestamp()
	where incarnation in (select incarnation from corpse)
	returning incarnation
), certificate as (
	insert into locum.death (victim_id, victim_incarnation, declared_by, last_ping, evidence)
	select $1::uuid, buried.incarnation, $2::uuid, unpinged.pinged_at, jsonb_build_object('own_corpse', true)
	from buried left join unpinged using (incarnation)
), agents as (
	delete from locum.agent where incarnation in (select incarnation from corpse)
), other as materialized (
	select alive.*, ping.pinged_at
	from alive left join locum.dispatcher_ping as ping using (incarnation)
	where alive.incarnation not in (select incarnation from corpse)
		and alive.incarnation <> $2::uuid
), born as (
	insert into locum.dispatcher (incarnation, id, host, pid, machine_id, version)
	select $2::uuid, $1::uuid, $4::text, $5::int, $6::text, $7::text
	where not exists (select from other) and (select count(*) from buried) >= 0
		and not exists (select from alive where alive.incarnation = $2::uuid)
	on conflict (id) where state in ('running', 'draining') do nothing
	returning incarnation
), pinging as (
	insert into locum.dispatcher_ping (incarnation, dispatcher_id, death_interval_ms)
	select incarnation, $1::uuid, $8::bigint from born
	returning incarnation
)
select exists (select from pinging)
		or exists (select from alive where alive.incarnation = $2::uuid) as registered, other.host, other.pid,
	(extract(epoch from clock_timestamp() - other.pinged_at) * 1000)::bigint as age_ms
from (values (1)) as one left join other on true
