-- Submission, in the caller's transaction.

-- locum.queue_id(queue text): the id of the queue, which is made when there is none.
-- Errors: 22023 for a name that cannot be one.
create or replace function locum.queue_id(queue text) returns int
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	found int;
begin
	select q.id into found from locum.queue q where q.name = queue_id.queue;
	if found is null then
		perform locum.check_name('queue', queue_id.queue);
		insert into locum.queue (name) values (queue_id.queue) on conflict do nothing;
		select q.id into strict found from locum.queue q where q.name = queue_id.queue;
	end if;
	return found;
end
$$;

-- locum.check_name(what text, name text): raises 22023 with a sentence when name cannot be the name of a
-- `what`.
create or replace function locum.check_name(what text, name text) returns void
language plpgsql immutable set search_path = pg_catalog, locum, pg_temp as $$
begin
	if name is null or name = '' then
		raise 'the % has no name', what using errcode = 'invalid_parameter_value';
	elsif octet_length(name) > LIMIT_NAME_BYTES then
		raise 'the name of the % has % bytes; at most LIMIT_NAME_BYTES are allowed', what,
			octet_length(name) using errcode = 'invalid_parameter_value';
	elsif name ~ '[[:cntrl:]]' then
		raise 'the name of the % contains a control character', what
			using errcode = 'invalid_parameter_value';
	end if;
end
$$;

-- locum.check_job(…): raises 22023 with one sentence that says what is wrong with the job's options.
create or replace function locum.check_job(handler text, payload json, queue text, priority int, key text,
	max_attempts int, timeout interval, expires interval, on_interrupt text, traceparent text)
returns void
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	wrong text;
begin
	perform locum.check_name('handler', handler);
	perform locum.check_name('queue', queue);
	wrong := case
		when payload is null then 'the payload is missing'
		when octet_length(payload::text) > LIMIT_PAYLOAD_BYTES then format(
			'the payload has %s bytes; at most LIMIT_PAYLOAD_BYTES are allowed',
			octet_length(payload::text))
		when priority is null or priority not between 0 and LIMIT_PRIORITY_MAX then format(
			'the priority must be 0 to LIMIT_PRIORITY_MAX, not %s', coalesce(priority::text, 'null'))
		when key = '' then 'the key is empty'
		when octet_length(key) > LIMIT_KEY_BYTES then format(
			'the key has %s bytes; at most LIMIT_KEY_BYTES are allowed', octet_length(key))
		when max_attempts not between 1 and LIMIT_ATTEMPTS_MAX then format(
			'max_attempts must be 1 to LIMIT_ATTEMPTS_MAX, not %s', max_attempts)
		when timeout < interval '1 millisecond' then format(
			'the timeout must be 1ms or more, not %s', timeout)
		when expires < interval '0' then format('expires must not be negative, not %s', expires)
		when on_interrupt is null or on_interrupt not in ('retry', 'fail', 'hold') then format(
			'on_interrupt must be retry, fail or hold, not %L', on_interrupt)
		when octet_length(traceparent) > LIMIT_KEY_BYTES then format(
			'the traceparent has %s bytes; at most LIMIT_KEY_BYTES are allowed',
			octet_length(traceparent))
	end;
	if wrong is not null then
		raise '%', wrong using errcode = 'invalid_parameter_value';
	end if;
end
$$;

-- locum.interval_ms(value interval): whole milliseconds, null for null.
create or replace function locum.interval_ms(value interval) returns bigint
language sql immutable set search_path = pg_catalog, pg_temp as $$
	select ceil(extract(epoch from value) * 1000)::bigint
$$;

-- locum.submit(…): stores one job in the caller's transaction and returns its id.
--   handler       who is to run it: a name from the dispatchers' configuration
--   payload       JSON, kept byte for byte, at most LIMIT_PAYLOAD_BYTES bytes
--   queue         made when there is none of that name
--   priority      0 (first) to LIMIT_PRIORITY_MAX
--   run_at, delay not before this time; with both, delay counts from run_at
--   key           unique in the queue among unfinished jobs: a second job is not stored, and the id of the
--                 first is returned
--   request_id    chosen by the caller: the same request again returns the same id, even after the job
--                 has finished, for 24 hours at least
--   timeout       of one run; expires: not started later than this after now
--   on_interrupt  what follows when its worker dies: retry, fail or hold
-- Errors: 22023 with a sentence; 22P02 when the payload is no JSON. Any client may call.
create or replace function locum.submit(handler text, payload json default '{}',
	queue text default 'default', priority int default LIMIT_PRIORITY_DEFAULT,
	run_at timestamptz default null, delay interval default null, key text default null,
	request_id uuid default null, max_attempts int default null, timeout interval default null,
	expires interval default null, on_interrupt text default 'retry', traceparent text default null)
returns bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
#variable_conflict use_column
declare
	due timestamptz := case when submit.delay is null then submit.run_at
		else coalesce(submit.run_at, now()) + submit.delay end;
	ready boolean := due is null or due <= now();
	line int;
	stored bigint;
	earlier bigint;
begin
	perform locum.check_job(submit.handler, submit.payload, submit.queue, submit.priority, submit.key,
		submit.max_attempts, submit.timeout, submit.expires, submit.on_interrupt, submit.traceparent);
	if submit.request_id is not null then
		insert into locum.request (request_id, jobs) values (submit.request_id, '{}')
			on conflict do nothing;
		if not found then
			select r.jobs[1] into earlier from locum.request r where r.request_id = submit.request_id;
			return earlier;
		end if;
	end if;
	line := locum.queue_id(submit.queue);
	loop
		insert into locum.job (run_at, expires_at, timeout_ms, queue_id, state, on_interrupt, priority,
			lane, max_attempts, handler, key, traceparent, payload)
		values (due, now() + submit.expires, locum.interval_ms(submit.timeout), line,
			case when ready then 'pending' else 'scheduled' end::locum.job_state,
			submit.on_interrupt::locum.interrupt_policy, submit.priority,
			case when not ready then null when due is null then 1 else 0 end,
			coalesce(submit.max_attempts, LIMIT_ATTEMPTS_DEFAULT), submit.handler, submit.key,
			submit.traceparent, submit.payload)
		on conflict (queue_id, key) where key is not null do nothing
		returning id into stored;
		exit when stored is not null;
		-- The key is taken; the job that has it may finish before it is seen here.
		select j.id into stored from locum.job j
		where j.queue_id = line and j.key = submit.key;
		exit when stored is not null;
	end loop;
	if submit.request_id is not null then
		update locum.request r set jobs = array[stored] where r.request_id = submit.request_id;
	end if;
	if ready then
		perform locum.wake(submit.queue, submit.handler);
	end if;
	return stored;
end
$$;
