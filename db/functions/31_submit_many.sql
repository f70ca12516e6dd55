-- Bulk submission, in the caller's transaction.

-- locum.insert_jobs(jobs json[]): submit_many without its explanation of errors. A null among the ids: the
-- job that had the key finished before it could be seen. Joins by hashing, for the lists are of equal length.
create or replace function locum.insert_jobs(jobs json[]) returns setof bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp set enable_hashjoin = on
	set enable_nestloop = off set enable_mergejoin = off set jit = off as $$
begin
	return query
	with given as materialized (
		select n, value -> 'payload' as payload, option.*,
			locum.due_at(option.run_at, option.delay) as due, nextval('locum.job_id_seq') as id
		from unnest(jobs) with ordinality as line (value, n)
		cross join lateral json_populate_record(null::locum.job_option, value) as option
		order by n
	), queue as materialized (
		select name, locum.queue_id(name) as id
		from (select distinct coalesce(g.queue, 'default') as name from given g) as named
	), stored as (
		insert into locum.job (id, run_at, expires_at, timeout_ms, retry_delay_ms, retry_cap_ms,
			queue_id, state, on_interrupt, retry_backoff, priority, lane, max_attempts, handler,
			submitted_by, key, traceparent, payload, labels, follow_ups)
		select g.id, due, now() + expires, locum.interval_ms(timeout),
			locum.interval_ms(retry_delay), locum.interval_ms(retry_cap), q.id,
			case when coalesce(due <= now(), true) then 'pending' else 'scheduled' end::locum.job_state,
			coalesce(on_interrupt, 'retry')::locum.interrupt_policy,
			retry_backoff::locum.retry_backoff, coalesce(priority, LIMIT_PRIORITY_DEFAULT),
			case when due is null then 1 when due <= now() then 0 end,
			coalesce(max_attempts, LIMIT_ATTEMPTS_DEFAULT), handler,
			coalesce(submitted_by, session_user), g.key, traceparent, coalesce(payload, '{}'),
			case when labels is not null then locum.label_set(labels) end,
			case when "then" is not null then locum.follow_up_set("then") end
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
	option locum.job_option;
begin
	perform locum.check_names(job, locum.job_options(), 'a job');
	option := json_populate_record(null::locum.job_option, job);
	perform locum.check_job(option, coalesce(job -> 'payload', '{}')), locum.label_set(option.labels),
		locum.follow_up_set(option."then");
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
	stored := locum.take_request(submit_lines.request_id);
	if stored is not null then
		return query select unnest(stored);
		return;
	end if;
	begin
		if exists (
			select from unnest(lines::json[]) as line (value), json_object_keys(value) as name
			where name <> all((select locum.job_options())::text[])
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
