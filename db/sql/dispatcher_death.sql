-- dispatcher_death(victim uuid, seq bigint, declared_by uuid, evidence text) -> id
-- Declares an incarnation dead whose last ping is the one observed, and writes the certificate. The ping's
-- row goes first, so that no ping can be acknowledged during a death. No row: it pinged meanwhile, or
-- somebody else declared it. 55P03: its locks are held (backend_terminate); a claim's FOR SHARE is one, somebody's FOR
-- KEY SHARE is none, for the row's keys stay. The sequence -1 stands for a row that is
-- missing, and will be: only a birth makes one.
with observed as materialized (
	select incarnation, pinged_at
	from locum.dispatcher_ping
	where incarnation = $1::uuid and seq = $2::bigint
	for update nowait
), seen as materialized (
	select incarnation from observed
	union all
	select $1::uuid
	where $2::bigint = -1
		and not exists (select from locum.dispatcher_ping where incarnation = $1::uuid)
), locked as materialized (
	select dispatcher.incarnation, dispatcher.id
	from seen
	join locum.dispatcher using (incarnation)
	where dispatcher.state in ('running', 'draining')
	for no key update of dispatcher nowait
), unpinged as (
	delete from locum.dispatcher_ping where incarnation in (select incarnation from locked)
	returning incarnation, pinged_at
), dead as (
	update locum.dispatcher set state = 'dead', ended_at = clock_timestamp()
	where incarnation in (select incarnation from unpinged)
		or ($2::bigint = -1 and incarnation in (select incarnation from locked))
	returning incarnation, id
), agents as (
	delete from locum.agent where incarnation in (select incarnation from dead)
)
insert into locum.death (victim_id, victim_incarnation, declared_by, last_ping, evidence)
select dead.id, dead.incarnation, $3::uuid, unpinged.pinged_at, $4::text::jsonb
from dead left join unpinged using (incarnation)
returning id
