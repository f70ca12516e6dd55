-- What a plugin host does to a job, in the transaction that holds the job's effects.

-- locum.settle(job bigint, claim_id uuid, result json, log text, ran_ms bigint, transaction bigint): completes a claimed
-- job in the caller's transaction, as locum.complete does, with its log and the time that it ran. `transaction` is the
-- one that took the gate.
-- Errors: as locum.complete; 22P02 when the result is no JSON; 25000 when this is another transaction.
create or replace function locum.settle(job bigint, claim_id uuid, result json, log text, ran_ms bigint,
	transaction bigint)
returns void
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	held locum.job;
	ended timestamptz := clock_timestamp();
	today date := (ended at time zone 'UTC')::date;
begin
	if pg_current_xact_id()::text::bigint <> transaction then
		raise 'the handler ended the transaction, which is not its to end' using errcode = '25000';
	end if;
	if to_regclass('locum.finished_' || to_char(today, 'YYYYMMDD')) is null then
		perform locum.finished_prepare(today, today);
	end if;
	delete from locum.job j where j.id = settle.job and j.claim_id = settle.claim_id returning * into held;
	if held.id is null then
		-- The handler may have completed the job itself; else this says that it was reassigned.
		perform locum.complete(settle.job, settle.claim_id, settle.result);
		return;
	end if;
	held.started_at := coalesce(held.started_at, ended - settle.ran_ms * interval '1 millisecond');
	held.log := settle.log;
	perform locum.finish(held, 'completed', settle.result, null, ended);
end
$$;
revoke all on function locum.settle(bigint, uuid, json, text, bigint, bigint) from public;

-- locum.call_handler(function text, job bigint, claim_id uuid, payload json): takes the gate, calls
-- function(job, payload), and completes the job with what it returns. No search_path is set: the function
-- sees the caller's.
-- Returns 'settled', 'lost' when the job was reassigned, or 'missing' when there is no such function. Errors are those of
-- the function.
create or replace function locum.call_handler(function text, job bigint, claim_id uuid, payload json)
returns text
language plpgsql as $$
declare
	handler regprocedure := to_regprocedure(function || '(bigint, json)');
	began timestamptz := clock_timestamp();
	result json;
begin
	if handler is null then
		return 'missing';
	end if;
	-- The name is as in job_gate.
	perform set_config('application_name', format('locum/job/%s/%s', j.id, j.incarnation), true)
	from locum.job j where j.id = call_handler.job and j.claim_id = call_handler.claim_id for update;
	if not found then
		return 'lost';
	end if;
	execute format('select %s($1, $2)', handler::regproc) into result using job, payload;
	perform locum.settle(job, claim_id, result, null,
		(extract(epoch from clock_timestamp() - began) * 1000)::bigint, pg_current_xact_id()::text::bigint);
	return 'settled';
end
$$;
revoke all on function locum.call_handler(text, bigint, uuid, json) from public;

-- locum.refresh(): rids the session of what a handler left in it for the next one: settings, its role, and locks that
-- outlive transactions.
create or replace function locum.refresh() returns void
language plpgsql as $$
begin
	reset session authorization;
	reset role;
	reset all;
	perform pg_advisory_unlock_all();
end
$$;
revoke all on function locum.refresh() from public;
