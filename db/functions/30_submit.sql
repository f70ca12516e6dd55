-- Submission, in the caller's transaction.

-- locum.queue_id(queue text): the id of the queue, which is made when there is none, and cannot be deleted before
-- this transaction ends.
-- Errors: 22023 for a name that cannot be one.
create or replace function locum.queue_id(queue text) returns int
language plpgsql as $$
declare
	found int;
	-- Against locum.queue_delete; the query is later than the lock. An assignment costs less than "perform".
	locked constant text := pg_advisory_xact_lock_shared(hashtext('locum.queue_id'), hashtext(queue_id.queue));
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

-- locum.job_digest(option locum.job_option, payload json): a number by which the same job is known again. Without
-- run_at, which a caller who asks again may have counted from the clock anew.
create or replace function locum.job_digest(option locum.job_option, payload json) returns bigint
language plpgsql stable as $$
begin
	option.run_at := null;
	return hashtextextended(locum.plain_options(option)::text, hashtextextended(payload::text, 0));
end
$$;

-- locum.take_request(request_id uuid): null when the request is new or null, and is the caller's to store the
-- jobs in; else the jobs that it stored. Waits for another transaction that has the same request in hand.
create or replace function locum.take_request(request_id uuid) returns bigint[]
language plpgsql as $$
declare
	earlier bigint[];
begin
	-- Again when the row went between the two statements, being too old.
	while take_request.request_id is not null and earlier is null loop
		insert into locum.request (request_id, jobs) values (take_request.request_id, '{}')
			on conflict do nothing;
		exit when found;
		select r.jobs into earlier from locum.request r where r.request_id = take_request.request_id;
	end loop;
	return earlier;
end
$$;

-- locum.store_job(option locum.job_option, payload json, follow_ups json, follows bigint, retry_of bigint):
-- inserts one job whose options are checked, and wakes a dispatcher. Returns its id, or null when an
-- unfinished job of the queue has the key.
create or replace function locum.store_job(option locum.job_option, payload json, follow_ups json,
	follows bigint default null, retry_of bigint default null)
returns bigint
language plpgsql as $$
declare
	due timestamptz := locum.due_at(option.run_at, option.delay);
	ready boolean := coalesce(due <= now(), true);
	labels jsonb := case when option.labels is not null then locum.label_set(option.labels) end;
	stored bigint;
begin
	option.queue := coalesce(option.queue, 'default');
	insert into locum.job (run_at, expires_at, retry_of, follows, timeout_ms, retry_delay_ms,
		retry_cap_ms, queue_id, state, on_interrupt, retry_backoff, priority, lane, max_attempts,
		handler, submitted_by, key, traceparent, payload, labels, follow_ups)
	values (due, now() + option.expires, store_job.retry_of, store_job.follows,
		locum.interval_ms(option.timeout), locum.interval_ms(option.retry_delay),
		locum.interval_ms(option.retry_cap), locum.queue_id(option.queue),
		case when ready then 'pending' else 'scheduled' end::locum.job_state,
		coalesce(option.on_interrupt, 'retry')::locum.interrupt_policy,
		option.retry_backoff::locum.retry_backoff,
		coalesce(option.priority, LIMIT_PRIORITY_DEFAULT),
		case when not ready then null when due is null then 1 else 0 end,
		coalesce(option.max_attempts, LIMIT_ATTEMPTS_DEFAULT), option.handler,
		coalesce(option.submitted_by, session_user), option.key, option.traceparent,
		store_job.payload, labels, store_job.follow_ups)
	on conflict (queue_id, key) where key is not null do nothing
	returning id into stored;
	if ready and stored is not null then
		perform locum.wake(option.queue, option.handler);
	end if;
	return stored;
end
$$;

-- locum.submit(…): stores one job in the caller's transaction and returns its id. A null is the default.
--   handler        who is to run it: a name from the dispatchers' configuration
--   payload        JSON, kept byte for byte, at most LIMIT_PAYLOAD_BYTES bytes
--   queue          made when there is none of that name
--   priority       0 (first) to LIMIT_PRIORITY_MAX
--   run_at, delay  not before this time; with both, delay counts from run_at
--   key            unique in the queue among unfinished jobs: a second job is not stored, and the id of the
--                  first is returned
--   request_id     chosen by the caller: the same request again returns the same id, even after the job
--                  has finished, for 24 hours at least; the same for another job is refused, but for its run_at
--   timeout        of one run; expires: not started later than this after now
--   on_interrupt   what follows when its worker dies: retry, fail or hold
--   retry_delay    the pause before the second run (default LIMIT_RETRY_BASE_MS ms); retry_cap: the longest
--                  pause; retry_backoff: how pauses grow: exponential, linear or fixed
--   then           what the job's end submits, in the same transaction: an object with any of success
--                  (completed), failure (failed or expired) and always (also cancelled), each a handler's
--                  name or an object of these options. The default queue is this job's, the default payload
--                  {"job", "handler", "state", "result", "error"}
--   labels         a flat object of texts, at most LIMIT_LABELS
--   submitted_by   by default the session's user
-- Errors: 22023 with a sentence; 22P02 when the payload is no JSON. Any client may call.
create or replace function locum.submit(handler text, payload json default '{}',
	queue text default 'default', priority int default LIMIT_PRIORITY_DEFAULT,
	run_at timestamptz default null, delay interval default null, key text default null,
	request_id uuid default null, max_attempts int default null, timeout interval default null,
	expires interval default null, on_interrupt text default 'retry', traceparent text default null,
	retry_delay interval default null, retry_cap interval default null,
	retry_backoff text default null, "then" json default null, labels json default null,
	submitted_by text default null)
returns bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
#variable_conflict use_column
declare
	option locum.job_option;
	given bigint;
	earlier bigint[];
	follow_ups json;
	stored bigint;
	woken text; -- assigned, which costs less than "perform"
begin
	-- Most jobs have nothing special, and nothing wrong: they need not pay for what others may have.
	if num_nonnulls(run_at, delay, key, request_id, max_attempts, timeout, expires, traceparent, retry_delay,
				retry_cap, retry_backoff, "then", labels, submitted_by) = 0
			and on_interrupt = 'retry' and priority between 0 and LIMIT_PRIORITY_MAX
			and octet_length(handler) between 1 and LIMIT_NAME_BYTES and handler !~ '[[:cntrl:]]'
			and octet_length(payload::text) <= LIMIT_PAYLOAD_BYTES and queue is not null then
		insert into locum.job (queue_id, state, priority, lane, handler, payload)
		values (locum.queue_id(submit.queue), 'pending', submit.priority, 1, submit.handler,
			submit.payload)
		returning id into stored;
		woken := locum.wake(submit.queue, submit.handler);
		return stored;
	end if;
	option := row(submit.handler, submit.queue, submit.priority, submit.run_at,
		submit.delay, submit.key, submit.max_attempts, submit.timeout, submit.expires,
		submit.on_interrupt, submit.traceparent, submit.retry_delay, submit.retry_cap,
		submit.retry_backoff, submit."then", submit.labels, submit.submitted_by);
	perform locum.check_job(option, submit.payload);
	if submit.request_id is not null then
		given := locum.job_digest(option, submit.payload);
		earlier := locum.take_request(submit.request_id);
		if earlier is not null then
			perform from locum.request r where r.request_id = submit.request_id and r.digest <> given;
			if found then
				raise 'the request_id % was used before, for another job', submit.request_id
					using errcode = 'invalid_parameter_value';
			end if;
			return earlier[1];
		end if;
	end if;
	if submit."then" is not null then
		follow_ups := locum.follow_up_set(submit."then");
	end if;
	loop
		stored := locum.store_job(option, submit.payload, follow_ups);
		exit when stored is not null;
		-- The key is taken; the job that has it may finish before it is seen here.
		select j.id into stored from locum.job j
		where j.queue_id = locum.queue_id(coalesce(submit.queue, 'default')) and j.key = submit.key;
		exit when stored is not null;
	end loop;
	if submit.request_id is not null then
		update locum.request r set jobs = array[stored], digest = given
			where r.request_id = submit.request_id;
	end if;
	return stored;
end
$$;
