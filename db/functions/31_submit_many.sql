-- Bulk submission, in the caller's transaction: how the jobs of locum.submit_arrays become rows.

-- locum.insert_line(…): inserts jobs that have nothing special into one queue, and returns their ids in order. What
-- unnests in a select list comes one by one and in order, and is stored nowhere on its way.
create or replace function locum.insert_line(handlers text[], payloads text[], queue text, priorities int[])
returns bigint[]
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	stored bigint[];
	place constant int := locum.queue_id(insert_line.queue);
begin
	with line as (
		insert into locum.job (queue_id, state, priority, lane, handler, payload)
		select place, 'pending', coalesce(g.priority, LIMIT_PRIORITY_DEFAULT), 1, g.handler,
			coalesce(g.payload, '{}')::json
		from (
			select unnest(handlers) as handler, unnest(payloads) as payload,
				unnest(priorities) as priority
		) as g
		returning id
	)
	select array_agg(id) into stored from line;
	perform locum.wake(insert_line.queue, handler)
	from (select distinct unnest(handlers) as handler) as served
	where exists (select from locum.agent where idle);
	return stored;
end
$$;

-- locum.insert_lines(…): insert_line for jobs of many queues. Joins by hashing, for the lists are long.
create or replace function locum.insert_lines(handlers text[], payloads text[], queues text[], priorities int[])
returns bigint[]
language plpgsql set search_path = pg_catalog, locum, pg_temp set enable_hashjoin = on
	set enable_nestloop = off set enable_mergejoin = off set jit = off as $$
declare
	stored bigint[];
begin
	with given as materialized (
		select n, handler, coalesce(payload, '{}')::json as payload, coalesce(queue, 'default') as queue,
			coalesce(priority, LIMIT_PRIORITY_DEFAULT) as priority
		from unnest(handlers, payloads, queues, priorities) with ordinality
			as line (handler, payload, queue, priority, n)
	), queue as materialized (
		select name, locum.queue_id(name) as id
		from (select distinct g.queue as name from given g order by name) as named
	), woken as (
		select count(locum.wake(name, handler))
		from (select distinct g.queue as name, g.handler from given g) as served
	), line as (
		insert into locum.job (queue_id, state, priority, lane, handler, payload)
		select q.id, 'pending', g.priority, 1, g.handler, g.payload
		from woken, given g
		join queue q on q.name = g.queue
		order by g.n
		returning id
	)
	select array_agg(id) into stored from line;
	return stored;
end
$$;

-- locum.option_fits(option locum.job_option): whether it is well in what no column of the table checks. Inlined, for
-- which it has no search_path of its own.
create or replace function locum.option_fits(option locum.job_option) returns boolean
language sql stable as $$
	select locum.waits_fit(option)
		and coalesce(locum.interval_ms((option).timeout) >= 1, true)
		and coalesce(octet_length((option).traceparent) <= LIMIT_KEY_BYTES, true)
		and coalesce(octet_length((option).submitted_by) between 1 and LIMIT_KEY_BYTES, true)
		and coalesce(isfinite((option).run_at), true)
$$;

-- locum.insert_jobs(…): inserts jobs of any sort, for which an array's element wins over an option of its name. A
-- null among the ids: the job that had the key finished before it could be seen. A job whose options do not fit
-- gets no handler, which the table refuses. Keys are inserted in an order that is the same for all batches, so
-- that two with the same keys do not wait for each other. Joins by hashing, too.
create or replace function locum.insert_jobs(handlers text[], payloads text[], queues text[],
	priorities int[], keys text[], options json[]) returns setof bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp set enable_hashjoin = on
	set enable_nestloop = off set enable_mergejoin = off set jit = off as $$
begin
	return query
	with line as materialized (
		select l.*, case when l.options is not null
			then json_populate_record(null::locum.job_option, l.options) end as option
		from unnest(handlers, payloads, queues, priorities, keys, insert_jobs.options) with ordinality
			as l (handler, payload, queue, priority, key, options, n)
	), given as materialized (
		select n, option, coalesce(handler, (option).handler) as handler,
			coalesce(l.queue, (option).queue, 'default') as queue,
			coalesce(priority, (option).priority, LIMIT_PRIORITY_DEFAULT) as priority,
			coalesce(l.key, (option).key) as key,
			coalesce(payload::json, l.options -> 'payload', '{}') as payload,
			case when l.options is not null then locum.due_at((option).run_at, (option).delay) end as due,
			nextval('locum.job_id_seq') as id
		from line l
		order by n
	), queue as materialized (
		select name, locum.queue_id(name) as id
		from (select distinct g.queue as name from given g order by name) as named
	), stored as (
		insert into locum.job (id, run_at, expires_at, timeout_ms, retry_delay_ms, retry_cap_ms,
			queue_id, state, on_interrupt, retry_backoff, priority, lane, max_attempts, handler,
			submitted_by, key, traceparent, payload, labels, follow_ups)
		select g.id, due, now() + (option).expires,
			case when (option).timeout is not null then locum.interval_ms((option).timeout) end,
			case when (option).retry_delay is not null then locum.interval_ms((option).retry_delay) end,
			case when (option).retry_cap is not null then locum.interval_ms((option).retry_cap) end,
			q.id,
			case when coalesce(due <= now(), true) then 'pending' else 'scheduled' end::locum.job_state,
			coalesce((option).on_interrupt, 'retry')::locum.interrupt_policy,
			(option).retry_backoff::locum.retry_backoff, priority,
			case when due is null then 1 when due <= now() then 0 end,
			coalesce((option).max_attempts, LIMIT_ATTEMPTS_DEFAULT),
			case when locum.option_fits(option)
				and coalesce(octet_length(g.key) between 1 and LIMIT_KEY_BYTES, true) then handler end,
			coalesce((option).submitted_by, session_user), g.key, (option).traceparent, payload,
			case when (option).labels is not null then locum.label_set((option).labels) end,
			case when (option)."then" is not null then locum.follow_up_set((option)."then") end
		from given g join queue q on q.name = g.queue
		order by q.id, g.key, g.n
		on conflict (queue_id, key) where key is not null do nothing
		returning job.id, job.queue_id, job.key
	), woken as (
		select count(locum.wake(name, handler))
		from (select distinct g.queue as name, g.handler from given g) as served
	)
	select case when g.key is null then g.id when s.id is not null then s.id
		else (select j.id from locum.job j where j.key = g.key and j.queue_id = q.id) end
	from woken, given g
	join queue q on q.name = g.queue
	left join stored s on s.key = g.key and s.queue_id = q.id
	order by g.n;
end
$$;

-- locum.insert_until_seen(…): insert_jobs, done anew as long as an id is missing.
create or replace function locum.insert_until_seen(handlers text[], payloads text[], queues text[],
	priorities int[], keys text[], options json[]) returns bigint[]
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	stored bigint[];
begin
	loop
		begin
			select array_agg(id) into stored
			from locum.insert_jobs(handlers, payloads, queues, priorities, keys, options) as id;
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

-- locum.check_jobs(…): raises what is wrong with the first bad job, with its place, from 1, in DETAIL.
create or replace function locum.check_jobs(handlers text[], payloads text[], queues text[],
	priorities int[], keys text[], options json[]) returns void
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	line record;
	option locum.job_option;
begin
	for line in
		select * from unnest(handlers, payloads, queues, priorities, keys, check_jobs.options)
			with ordinality as l (handler, payload, queue, priority, key, options, n)
	loop
		begin
			perform locum.check_options(line.options, locum.job_options(), 'a job');
			option := json_populate_record(null::locum.job_option, coalesce(line.options, '{}'));
			option.handler := coalesce(line.handler, option.handler);
			option.queue := coalesce(line.queue, option.queue);
			option.priority := coalesce(line.priority, option.priority);
			option.key := coalesce(line.key, option.key);
			perform locum.check_job(option,
					coalesce(line.payload::json, line.options -> 'payload', '{}')),
				locum.label_set(option.labels), locum.follow_up_set(option."then"),
				locum.due_at(option.run_at, option.delay);
		exception when data_exception or integrity_constraint_violation then
			raise '%', sqlerrm using errcode = sqlstate, detail = line.n::text;
		end;
	end loop;
end
$$;
