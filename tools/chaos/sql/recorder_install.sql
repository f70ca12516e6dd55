-- The database's own witness: what happens to jobs and dispatchers is stored in the transaction in which it happens.
-- Whole statements are recorded at once, which is cheaper than a row at a time.

create schema locum_chaos;
grant usage on schema locum_chaos to public;

create table locum_chaos.event (
	-- Ascends within a session, and so within a transaction.
	n bigint generated always as identity (cache 1000),
	xid xid8 not null default pg_current_xact_id(),
	at timestamptz not null default clock_timestamp(),
	kind text not null,
	job bigint,
	seq bigint,
	claim uuid,
	incarnation uuid,
	state text,
	numbers bigint[]
) with (autovacuum_enabled = false, toast.autovacuum_enabled = false);

-- The transactions in the order of their commits, as the logical slot tells it.
create table locum_chaos.committed (
	place bigint generated always as identity,
	xid bigint not null
) with (autovacuum_enabled = false);

create function locum_chaos.on_job_insert() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into locum_chaos.event (kind, job, state)
	select 'submit', id, state::text || ' ' || translate(handler, ' ', '_') || ' ' || max_attempts
		|| ' ' || on_interrupt::text
	from new_rows;
	return null;
end
$$;

-- Dispatchers switch hash joins off, for the sake of their own statements; and a plan made for the first row of a session
-- would compare each of a thousand with each.
create function locum_chaos.on_job_update() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
	set enable_hashjoin = on set enable_nestloop = off as $$
begin
	insert into locum_chaos.event (kind, job, seq, claim, incarnation, state)
	select case when present.claim_id is null then 'back'
			when former.claim_id is distinct from present.claim_id then 'claim'
			else 'start' end,
		present.id, case when present.claim_id is null then former.claim_seq else present.claim_seq end,
		coalesce(present.claim_id, former.claim_id), coalesce(present.incarnation, former.incarnation),
		case when present.claim_id is null then present.state::text end
	from new_rows as present
	join old_rows as former using (id)
	where former.claim_id is distinct from present.claim_id
		or (former.state::text <> 'active' and present.state::text = 'active');
	return null;
end
$$;

-- A queue that keeps no finished jobs leaves this as the only trace of an end.
create function locum_chaos.on_job_delete() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into locum_chaos.event (kind, job, seq, claim, incarnation, state)
	select 'end', id, claim_seq, claim_id, incarnation, 'unkept'
	from old_rows
	where queue_id in (select queue.id from locum.queue where queue.keep_finished = '0');
	return null;
end
$$;

create function locum_chaos.on_finished_insert() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into locum_chaos.event (kind, job, seq, claim, incarnation, state)
	select 'end', id, claim_seq, claim_id, incarnation, state::text from new_rows;
	return null;
end
$$;

create function locum_chaos.on_dispatcher_insert() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into locum_chaos.event (kind, incarnation, state)
	select 'alive', incarnation, id::text from new_rows;
	return null;
end
$$;

create function locum_chaos.on_dispatcher_update() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into locum_chaos.event (kind, incarnation)
	select 'gone', present.incarnation
	from new_rows as present
	join old_rows as former using (incarnation)
	where present.state::text = 'stopped' and former.state::text <> 'stopped';
	return null;
end
$$;

create function locum_chaos.on_death_insert() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into locum_chaos.event (kind, incarnation, state)
	select 'dead', victim_incarnation, declared_by::text from new_rows;
	return null;
end
$$;

-- The last ping of an incarnation, which its death or its end takes away.
create function locum_chaos.on_ping_delete() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	insert into locum_chaos.event (kind, incarnation, numbers)
	select 'unping', incarnation, array[
		(extract(epoch from clock_timestamp() - pinged_at) * 1000000)::bigint,
		death_interval_ms * 1000, seq]
	from old_rows;
	return null;
end
$$;

create trigger locum_chaos after insert on locum.job
	referencing new table as new_rows
	for each statement execute function locum_chaos.on_job_insert();
create trigger locum_chaos_update after update on locum.job
	referencing old table as old_rows new table as new_rows
	for each statement execute function locum_chaos.on_job_update();
create trigger locum_chaos_delete after delete on locum.job
	referencing old table as old_rows
	for each statement execute function locum_chaos.on_job_delete();
create trigger locum_chaos after insert on locum.finished
	referencing new table as new_rows
	for each statement execute function locum_chaos.on_finished_insert();
create trigger locum_chaos after insert on locum.dispatcher
	referencing new table as new_rows
	for each statement execute function locum_chaos.on_dispatcher_insert();
create trigger locum_chaos_update after update on locum.dispatcher
	referencing old table as old_rows new table as new_rows
	for each statement execute function locum_chaos.on_dispatcher_update();
create trigger locum_chaos after insert on locum.death
	referencing new table as new_rows
	for each statement execute function locum_chaos.on_death_insert();
create trigger locum_chaos after delete on locum.dispatcher_ping
	referencing old table as old_rows
	for each statement execute function locum_chaos.on_ping_delete();

create publication locum_chaos for table locum_chaos.event with (publish = 'insert');
