-- What people do to jobs.

-- locum.cancel_in(job bigint, states text[]): locum.cancel of a job that is in one of these states; null: in any. Says
-- what became of it: 'cancelled'; 'asked', when its worker is to end it; 'left', when it is in another state; null when
-- there is no unfinished job.
create or replace function locum.cancel_in(job bigint, states text[]) returns text
language plpgsql set search_path = pg_catalog, locum, pg_temp set lock_timeout = LIMIT_CANCEL_WAIT_MS as $$
declare
	target locum.job;
	locked boolean := true;
begin
	begin
		select * into target from locum.job j where j.id = cancel_in.job for update;
	exception when lock_not_available then
		-- The run's own transaction holds it; the worker need not see the row to end the run.
		locked := false;
		select * into target from locum.job j where j.id = cancel_in.job;
		if target.claim_id is null then
			raise;
		end if;
	end;
	if target.id is null then
		return null;
	elsif target.state::text <> all(states) then
		return 'left';
	elsif target.claim_id is null then
		delete from locum.job j where j.id = cancel_in.job;
		perform locum.finish(target, 'cancelled', null, 'cancelled before it started');
		return 'cancelled';
	end if;
	if locked then
		update locum.job j set cancel_requested = true where j.id = cancel_in.job;
	end if;
	insert into locum.signal (incarnation, job_id, claim_id, kind)
	values (target.incarnation, target.id, target.claim_id, 'cancel');
	perform locum.tell(target.incarnation);
	return 'asked';
end
$$;

-- locum.cancel(job bigint): cancels a job that is not claimed at once; asks the worker of a claimed one to
-- end it. Returns true when the job was unfinished. Never touches a claim, and waits for no transaction that runs in it.
-- Errors: 55P03 when somebody else's transaction holds a job locked that is not claimed.
create or replace function locum.cancel(job bigint) returns boolean
language sql set search_path = pg_catalog, locum, pg_temp as $$
	select locum.cancel_in(cancel.job, null) is not null
$$;

-- locum.retry(job bigint): submits a finished job again, as a new job with retry_of and the same options, also
-- submitted_by, but due at once; expires counts anew. Returns the new id, or null when no finished job has that id.
-- Errors: 23505 when an unfinished job has the same key.
create or replace function locum.retry(job bigint) returns bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	former locum.finished;
	stored bigint;
begin
	select * into former from locum.finished f where f.id = retry.job for update;
	if former.id is null then
		return null;
	end if;
	stored := locum.store_job(
		row(former.handler, (select q.name from locum.queue q where q.id = former.queue_id),
			former.priority, null, null, former.key, former.max_attempts,
			former.timeout_ms * interval '1 millisecond', former.expires_at - former.created_at,
			former.on_interrupt::text, former.traceparent,
			former.retry_delay_ms * interval '1 millisecond',
			former.retry_cap_ms * interval '1 millisecond', former.retry_backoff::text, null,
			former.labels::json, former.submitted_by),
		former.payload, former.follow_ups, former.follows, former.id);
	if stored is null then
		raise 'an unfinished job of the same queue has the key "%"', former.key
			using errcode = 'unique_violation';
	end if;
	return stored;
end
$$;

-- locum.was_retried(job bigint): whether some job is the retry of this one.
create or replace function locum.was_retried(job bigint) returns boolean
language sql stable as $$
	select exists (select from locum.job j where j.retry_of = was_retried.job)
		or exists (select from locum.finished f where f.retry_of = was_retried.job)
$$;

-- locum.retry_once(job bigint): locum.retry, but null when the job was retried before. Of those who try at once one
-- does it.
create or replace function locum.retry_once(job bigint) returns bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
begin
	perform from locum.finished f where f.id = retry_once.job for update;
	return case when not locum.was_retried(retry_once.job) then locum.retry(retry_once.job) end;
end
$$;
