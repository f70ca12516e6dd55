-- What people do to queues.

-- locum.queue_create(name text, paused boolean, keep_finished interval): makes a queue; keep_finished is how
-- long its finished jobs stay, '0' for not at all, null for LIMIT_RETENTION_DAYS days. Returns false, and
-- changes nothing, when there is one of that name.
-- Errors: 22023 for a name that cannot be one; 23514 for a negative keep_finished.
create or replace function locum.queue_create(name text, paused boolean default false,
	keep_finished interval default null)
returns boolean
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
begin
	perform locum.check_name('queue', queue_create.name);
	insert into locum.queue (name, paused, keep_finished)
	values (queue_create.name, queue_create.paused,
		coalesce(queue_create.keep_finished, make_interval(days => LIMIT_RETENTION_DAYS)))
	on conflict do nothing;
	return found;
end
$$;

-- locum.queue_set(name text, keep_finished interval): changes how long finished jobs of a queue stay. Returns
-- false when there is no such queue.
-- Errors: 23514 for a negative time.
create or replace function locum.queue_set(name text, keep_finished interval) returns boolean
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
begin
	update locum.queue q set keep_finished = queue_set.keep_finished where q.name = queue_set.name;
	return found;
end
$$;

-- locum.queue_pause(name text): once this is committed, no job of the queue is claimed until queue_resume; what
-- was claimed goes on. Waits for claims that are under way. Returns false when there is no such queue.
-- Errors: none that a repetition would not mend.
create or replace function locum.queue_pause(name text) returns boolean
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
begin
	-- Against locum.claimable: whoever claims now is waited for, whoever comes later looks anew.
	perform pg_advisory_xact_lock(hashtext('locum.queue'), q.id) from locum.queue q
	where q.name = queue_pause.name;
	update locum.queue q set paused = true where q.name = queue_pause.name;
	return found;
end
$$;

-- locum.queue_resume(name text): lets the jobs of a queue be claimed again, within a second or so. Returns
-- false when there is no such queue.
create or replace function locum.queue_resume(name text) returns boolean
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
begin
	update locum.queue q set paused = false where q.name = queue_resume.name;
	return found;
end
$$;

-- locum.queue_delete(name text): deletes a queue of which there is no job, finished or not. Waits for nobody. Returns
-- false when there is no such queue.
-- Errors: 23503 with a sentence when there are jobs; 55006 when somebody submits to it at this moment.
create or replace function locum.queue_delete(name text) returns boolean
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	found int;
begin
	if not pg_try_advisory_xact_lock(hashtext('locum.queue_id'), hashtext(queue_delete.name)) then
		raise 'somebody submits to the queue "%" at this moment', queue_delete.name
			using errcode = 'object_in_use';
	end if;
	select q.id into found from locum.queue q where q.name = queue_delete.name;
	if exists (select from locum.job j where j.queue_id = found) then
		raise 'the queue "%" has unfinished jobs', queue_delete.name
			using errcode = 'foreign_key_violation';
	elsif exists (select from locum.finished f where f.queue_id = found) then
		raise 'the queue "%" has finished jobs', queue_delete.name
			using errcode = 'foreign_key_violation', hint = 'They go when keep_finished is over.';
	end if;
	delete from locum.queue q where q.id = found;
	return found is not null;
end
$$;

-- locum.claimable(queues int[]): those of the queues of which jobs may be claimed in this transaction: they are
-- not paused, and nobody can pause them before it ends. It leaves out those that are being paused, so that a
-- claim waits for nobody. The query is later than the locks: it sees every pause that they followed. Each claim calls
-- this: a loop of plain expressions costs less than a query, and it has no search_path of its own to set.
create or replace function locum.claimable(queues int[]) returns int[]
language plpgsql as $$
declare
	queue int;
	former int;
	locked int[];
begin
	foreach queue in array queues loop
		if queue is distinct from former
				and pg_try_advisory_xact_lock_shared(hashtext('locum.queue'), queue) then
			locked := locked || queue;
		end if;
		former := queue;
	end loop;
	return array(select q.id from locum.queue q where q.id = any(locked) and not q.paused);
end
$$;
revoke all on function locum.claimable(int[]) from public;
