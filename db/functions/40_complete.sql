-- What a handler with a connection of its own, or a person, may do to a job.

-- locum.complete(job bigint, claim_id uuid, result json): completes a claimed job inside the caller's
-- transaction, so that the caller's writes and the completion commit together or not at all.
-- Call it last: it locks the job until the transaction ends. A repetition with the same claim is harmless.
-- Errors: LC001 "job was reassigned" when the claim is not the job's latest; the caller must roll back and
-- must not try again.
create or replace function locum.complete(job bigint, claim_id uuid, result json default null)
returns void
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	held locum.job;
begin
	delete from locum.job j where j.id = complete.job and j.claim_id = complete.claim_id returning * into held;
	if held.id is null then
		perform from locum.finished f where f.id = complete.job and f.claim_id = complete.claim_id
			and f.state = 'completed';
		if found then
			return;
		end if;
		raise 'job was reassigned' using errcode = 'LC001',
			detail = format('Job %s is no longer held by this claim.', complete.job),
			hint = 'Roll back, and do not try again: whoever holds the claim now does the job.';
	end if;
	perform locum.finish(held, 'completed', complete.result, null);
end
$$;

-- locum.finish(job locum.job, state, result json, error text, ended timestamptz): stores the finished row of a
-- job that the caller has just deleted from locum.job, unless its queue keeps none.
create or replace function locum.finish(job locum.job, state locum.job_state, result json, error text,
	ended timestamptz default now())
returns void
language sql set search_path = pg_catalog, locum, pg_temp as $$
	insert into locum.finished (id, created_at, run_at, started_at, claim_seq, retry_of, timeout_ms,
		queue_id, state, on_interrupt, priority, attempt, max_attempts, interruptions, recoveries, claim_id, incarnation, handler,
		submitted_by, key, traceparent, payload, result, error, log, history, finished_at)
	select job.id, job.created_at, job.run_at, coalesce(job.started_at, job.claimed_at), job.claim_seq,
		job.retry_of, job.timeout_ms, job.queue_id, finish.state, job.on_interrupt, job.priority,
		job.attempt + (job.claim_id is not null)::int, job.max_attempts, job.interruptions,
		job.recoveries, job.claim_id, job.incarnation, job.handler, job.submitted_by, job.key,
		job.traceparent, job.payload, finish.result, finish.error, job.log, job.history, finish.ended
	from locum.queue q
	where q.id = job.queue_id and q.keep_finished > interval '0'
$$;
revoke all on function locum.finish(locum.job, locum.job_state, json, text, timestamptz) from public;

-- locum.cancel(job bigint): cancels a job that is not claimed at once; asks the worker of a claimed one to
-- end it. Returns true when the job was unfinished. Never touches a claim.
create or replace function locum.cancel(job bigint) returns boolean
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	target locum.job;
begin
	select * into target from locum.job j where j.id = cancel.job for update;
	if target.id is null then
		return false;
	elsif target.claim_id is not null then
		update locum.job j set cancel_requested = true where j.id = cancel.job;
		insert into locum.signal (incarnation, job_id, claim_id, kind)
		values (target.incarnation, target.id, target.claim_id, 'cancel');
	else
		delete from locum.job j where j.id = cancel.job;
		perform locum.finish(target, 'cancelled', null, 'cancelled before it started');
	end if;
	return true;
end
$$;

-- locum.retry(job bigint): submits a finished job again, as a new job with retry_of. Returns the new id,
-- or null when no finished job has that id.
-- Errors: 23505 when an unfinished job has the same key.
create or replace function locum.retry(job bigint) returns bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	former locum.finished;
	stored bigint;
begin
	select * into former from locum.finished f where f.id = retry.job;
	if former.id is null then
		return null;
	end if;
	insert into locum.job (retry_of, timeout_ms, queue_id, state, on_interrupt, priority, lane,
		max_attempts, handler, key, traceparent, payload)
	values (former.id, former.timeout_ms, former.queue_id, 'pending', former.on_interrupt,
		former.priority, 1, former.max_attempts, former.handler, former.key, former.traceparent,
		former.payload)
	on conflict (queue_id, key) where key is not null do nothing
	returning id into stored;
	if stored is null then
		raise 'an unfinished job of the same queue has the key "%"', former.key
			using errcode = 'unique_violation';
	end if;
	perform locum.wake(q.name, former.handler) from locum.queue q where q.id = former.queue_id;
	return stored;
end
$$;

-- locum.interruption_ends(policy, interruptions smallint): whether one more interruption ends the job.
create or replace function locum.interruption_ends(policy locum.interrupt_policy, interruptions smallint)
returns boolean
language sql immutable as $$
	select policy = 'fail' or (policy = 'retry' and interruptions >= LIMIT_INTERRUPTIONS)
$$;

-- locum.interruption_error(policy, interruptions smallint): the error of a job that an interruption ended.
create or replace function locum.interruption_error(policy locum.interrupt_policy, interruptions smallint)
returns text
language sql immutable as $$
	select case when policy = 'retry' then format('interrupted too often (%s times)', interruptions + 1)
		else 'interrupted, and its policy is to fail' end
$$;

-- locum.remember(history jsonb, episode jsonb): the history with one more entry. Of a long one the first
-- entry stays, and the latest.
create or replace function locum.remember(history jsonb, episode jsonb) returns jsonb
language sql immutable as $$
	select case when jsonb_array_length(history) >= LIMIT_HISTORY then history - 1
		else coalesce(history, '[]') end || episode
$$;

-- locum.episode(job locum.job, outcome text, error text): the entry for locum.job.history about the claim
-- that ends now.
create or replace function locum.episode(job locum.job, outcome text, error text) returns jsonb
language sql stable as $$
	select jsonb_strip_nulls(jsonb_build_object(
		'claim_seq', job.claim_seq, 'attempt', job.attempt + 1, 'incarnation', job.incarnation,
		'claimed_at', job.claimed_at, 'started_at', job.started_at, 'ended_at', clock_timestamp(),
		'outcome', outcome, 'error', left(error, LIMIT_ERROR_BYTES / 4)))
$$;
