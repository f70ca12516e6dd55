-- Bulk submission, in the caller's transaction.

-- locum.job_options(): the names that an object of a bulk submission may have.
create or replace function locum.job_options() returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
	select '{handler,payload,queue,priority,run_at,delay,key,max_attempts,timeout,expires,on_interrupt,
		traceparent}'::text[]
$$;

-- locum.insert_jobs(jobs json[]): submit_many without its explanation of errors. A null among the ids: the
-- job that had the key finished before it could be seen. Joins by hashing, for the lists are of equal length.
create or replace function locum.insert_jobs(jobs json[]) returns setof bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp set enable_hashjoin = on
	set enable_nestloop = off set enable_mergejoin = off set jit = off as $$
begin
	return query
	with given as materialized (
		select n, value -> 'payload' as payload, option.*,
			case when option.delay is null then option.run_at
				else coalesce(option.run_at, now()) + option.delay end as due,
			nextval('locum.job_id_seq') as id
		from unnest(jobs) with ordinality as line (value, n)
		cross join lateral json_to_record(value) as option (handler text, queue text, priority int,
			run_at timestamptz, delay interval, key text, max_attempts int, timeout interval,
			expires interval, on_interrupt text, traceparent text)
		order by n
	), queue as materialized (
		select name, locum.queue_id(name) as id
		from (select distinct coalesce(g.queue, 'default') as name from given g) as named
	), stored as (
		insert into locum.job (id, run_at, expires_at, timeout_ms, queue_id, state, on_interrupt,
			priority, lane, max_attempts, handler, key, traceparent, payload)
		select g.id, due, now() + expires, locum.interval_ms(timeout), q.id,
			case when coalesce(due <= now(), true) then 'pending' else 'scheduled' end::locum.job_state,
			coalesce(on_interrupt, 'retry')::locum.interrupt_policy,
			coalesce(priority, LIMIT_PRIORITY_DEFAULT),
			case when due is null then 1 when due <= now() then 0 end,
			coalesce(max_attempts, LIMIT_ATTEMPTS_DEFAULT), handler, g.key, traceparent,
			coalesce(payload, '{}')
		from given g join queue q on q.name = coalesce(g.queue, 'default')
		order by g.n
		on conflict (queue_id, key) where key is not null do nothing
		returning job.id, job.queue_id, job.key
	), woken as (
		select count(locum.wake(name, handler))
		from (select distinct coalesce(g.queue, 'default') as name, g.handler from given g) as served
	)
	select case when g.key is null then g.id when s.id is not null then s.id
		else (select j.id from locum.job j where j.key = g.key and j.queue_id = q.id) end
	from woken, given g
	join queue q on q.name = coalesce(g.queue, 'default')
	left join stored s on s.key = g.key and s.queue_id = q.id
	order by g.n;
end
$$;

-- locum.insert_until_seen(jobs json[]): insert_jobs, done anew as long as an id is missing.
create or replace function locum.insert_until_seen(jobs json[]) returns bigint[]
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	stored bigint[];
begin
	loop
		begin
			select array_agg(id) into stored from locum.insert_jobs(jobs) as id;
			if array_position(stored, null) is null then
				return stored;
			end if;
			raise 'a key was released meanwhile' using errcode = 'LC002';
		exception when sqlstate 'LC002' then
			null; -- what was inserted is undone
		end;
	end loop;
end
$$;
revoke all on function locum.insert_until_seen(json[]) from public;

-- locum.check_line(line text): raises what is wrong with one object of a bulk submission.
create or replace function locum.check_line(line text) returns void
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	job json := line::json;
	option record;
	unknown text;
begin
	if json_typeof(job) <> 'object' then
		raise 'a job must be a JSON object, not %', json_typeof(job)
			using errcode = 'invalid_parameter_value';
	end if;
	select name into unknown from json_object_keys(job) as name
	where name <> all(locum.job_options()) limit 1;
	if unknown is not null then
		raise 'there is no option "%"; the options are %', unknown,
			array_to_string(locum.job_options(), ', ')
			using errcode = 'invalid_parameter_value';
	end if;
	select * into option from json_to_record(job) as o (handler text, queue text, priority int,
		run_at timestamptz, delay interval, key text, max_attempts int, timeout interval,
		expires interval, on_interrupt text, traceparent text);
	perform locum.check_job(option.handler, coalesce(job -> 'payload', '{}'),
		coalesce(option.queue, 'default'), coalesce(option.priority, LIMIT_PRIORITY_DEFAULT), option.key,
		option.max_attempts, option.timeout, option.expires, coalesce(option.on_interrupt, 'retry'),
		option.traceparent);
end
$$;

-- locum.submit_lines(lines text[], request_id uuid): submit_many for lines of text, which may be no JSON.
-- A wrong line is an error whose DETAIL is its place in the array, from 1; nothing is stored.
create or replace function locum.submit_lines(lines text[], request_id uuid default null)
returns setof bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	stored bigint[];
	line text;
	n int := 0;
begin
	if submit_lines.request_id is not null then
		insert into locum.request (request_id, jobs) values (submit_lines.request_id, '{}')
			on conflict do nothing;
		if not found then
			return query select unnest(r.jobs) from locum.request r
				where r.request_id = submit_lines.request_id;
			return;
		end if;
	end if;
	begin
		if exists (
			select from unnest(lines::json[]) as line (value), json_object_keys(value) as name
			where name <> all(locum.job_options())
		) then
			raise 'unknown option' using errcode = 'invalid_parameter_value';
		end if;
		stored := locum.insert_until_seen(lines::json[]);
	exception when data_exception or integrity_constraint_violation then
		foreach line in array lines loop
			n := n + 1;
			begin
				perform locum.check_line(line);
			exception when data_exception or integrity_constraint_violation then
				raise '%', sqlerrm using errcode = sqlstate, detail = n::text;
			end;
		end loop;
		raise;
	end;
	if submit_lines.request_id is not null then
		update locum.request r set jobs = stored where r.request_id = submit_lines.request_id;
	end if;
	return query select unnest(stored);
end
$$;
revoke all on function locum.submit_lines(text[], uuid) from public;

-- locum.submit_many(jobs json[], request_id uuid): stores many jobs in the caller's transaction and returns
-- their ids in the same order. Each element is an object with "handler" and any of the other options of
-- locum.submit (locum.job_options() lists them). All or none are stored.
-- Errors: as locum.submit, with the element's place in DETAIL. Any client may call.
create or replace function locum.submit_many(jobs json[], request_id uuid default null)
returns setof bigint
language sql set search_path = pg_catalog, locum, pg_temp as $$
	select * from locum.submit_lines(jobs::text[], submit_many.request_id)
$$;
