-- What a handler with a connection of its own may do to a job, and how jobs end.

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
-- job that the caller has just deleted from locum.job, unless its queue keeps none, and its follow-ups. The
-- run that a claim stands for counts as an attempt.
create or replace function locum.finish(job locum.job, state locum.job_state, result json, error text,
	ended timestamptz default now())
returns void
language plpgsql as $$
#variable_conflict use_column
begin
	insert into locum.finished (
		-- include: db/columns/kept.sql
		, id, state, started_at, finished_at, attempt, interruptions, recoveries, claim_id, incarnation,
		result, error, log, history)
	select
		-- include: db/columns/kept.sql
		, id, finish.state, coalesce(started_at, claimed_at), finish.ended,
		attempt + (claim_id is not null)::int, interruptions, recoveries, claim_id, incarnation,
		finish.result, finish.error, log, history
	from (select (finish.job).*) as gone
	where queue_id not in (select q.id from locum.queue q where q.keep_finished = '0');
	if job.follow_ups is not null then
		perform locum.follow(job.id, job.queue_id, job.handler, job.submitted_by, job.traceparent,
			job.follow_ups, finish.state, finish.result, finish.error);
	end if;
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

-- locum.retry_pause_ms(attempt int, delay_ms bigint, cap_ms bigint, backoff): the pause after the run that was the
-- attempt-th (from 1) and is to be tried again: delay_ms (null: LIMIT_RETRY_BASE_MS), doubled each time, or
-- multiplied by attempt, or always the same; a quarter of jitter up or down; at most cap_ms (null:
-- LIMIT_RETRY_CAP_MS, or delay_ms if that is longer). What jitter carries over the cap is spread below it, so
-- that it does not gather there.
create or replace function locum.retry_pause_ms(attempt int, delay_ms bigint, cap_ms bigint,
	backoff locum.retry_backoff)
returns bigint
language plpgsql as $$
declare
	first float8 := coalesce(delay_ms, LIMIT_RETRY_BASE_MS);
	most float8 := coalesce(cap_ms, greatest(delay_ms, LIMIT_RETRY_CAP_MS));
	pause float8 := least(most, case coalesce(backoff, 'exponential')
		when 'exponential' then first * power(2::float8, least(attempt - 1, 60))
		when 'linear' then first * attempt
		when 'fixed' then first end) * (0.75 + random() / 2);
begin
	return greatest(0, case when pause <= most then pause else most * (1 - random() / 4) end);
end
$$;

-- locum.waits(delay_ms bigint, retry_delay_ms bigint, retry_cap_ms bigint): whether a run that is to be tried again
-- after delay_ms, or when it is negative as its job's policy says, is tried later than at once.
create or replace function locum.waits(delay_ms bigint, retry_delay_ms bigint, retry_cap_ms bigint)
returns boolean
language sql immutable as $$
	select delay_ms > 0 or (delay_ms < 0 and least(retry_delay_ms, retry_cap_ms) is distinct from 0)
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

-- locum.unstarted(job locum.job): the job without its claim, of which nothing ran.
create or replace function locum.unstarted(job locum.job) returns locum.job
language plpgsql immutable as $$
begin
	job.claim_id := null;
	job.incarnation := null;
	job.claimed_at := null;
	job.started_at := null;
	return job;
end
$$;

-- locum.on_probation(recoveries smallint, started_at, moment): whether a run that had begun was still on probation then.
-- It is, after the first recoveries of its job, up to LIMIT_SUSPECTED, for LIMIT_PROBATION_MS, after each further one for
-- LIMIT_PROBATION_GROWTH times as long.
create or replace function locum.on_probation(recoveries smallint, started_at timestamptz, moment timestamptz)
returns boolean
language sql immutable as $$
	select recoveries > 0 and started_at + interval '1 millisecond' * LIMIT_PROBATION_MS
		* power(LIMIT_PROBATION_GROWTH,
			greatest(least(recoveries, LIMIT_INTERRUPTIONS + 1) - LIMIT_SUSPECTED, 0)) > moment
$$;

-- locum.reclaimed(job locum.job, counts boolean): the job as the death of its dispatcher leaves it: in its history, counted as interrupted or not,
-- and without the claim.
create or replace function locum.reclaimed(job locum.job, counts boolean) returns locum.job
language plpgsql volatile as $$
begin
	job.history := locum.remember(job.history, locum.episode(job,
		case when job.state = 'active' then 'interrupted' else 'reclaimed' end,
		'its dispatcher was declared dead'));
	job.attempt := job.attempt + counts::int;
	job.interruptions := job.interruptions + counts::int;
	job.recoveries := job.recoveries + 1;
	job.claim_id := null;
	job.claimed_at := null;
	return job;
end
$$;
