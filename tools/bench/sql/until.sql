-- What the benchmark waits with, for psql.
create schema bench;

-- bench.until(condition text, seconds int): returns when the condition holds, looking every 2 ms, each time
-- in a transaction of its own, so that no snapshot is held. Errors: it did not hold within that time.
create procedure bench.until(condition text, seconds int) language plpgsql as $$
declare
	deadline constant timestamptz := clock_timestamp() + seconds * interval '1 second';
	met boolean;
begin
	loop
		execute 'select ' || condition into met;
		exit when met;
		if clock_timestamp() > deadline then
			raise 'not within % s: %', seconds, condition;
		end if;
		commit;
		perform pg_sleep(0.002);
	end loop;
end $$;

-- bench.drained(seconds int, took): waits until a dispatcher has claimed its first job, then until the last is done or
-- `seconds` have passed, and sets took to the seconds between the two. That all may be done shows in a table of one
-- row, the agents, so that the waiting costs the database next to nothing. Errors: nothing is claimed within 60 s.
create procedure bench.drained(seconds int, inout took numeric) language plpgsql as $$
declare
	began timestamptz;
begin
	call bench.until('exists (select from locum.job where incarnation is not null)
		or exists (select from locum.finished) or exists (select from locum.receipt)', 60);
	began := clock_timestamp();
	loop
		exit when case when exists (select from locum.agent where idle)
			then not exists (select from locum.job) else false end;
		exit when clock_timestamp() > began + drained.seconds * interval '1 second';
		commit;
		perform pg_sleep(0.01);
	end loop;
	took := extract(epoch from clock_timestamp() - began);
end $$;

-- What handlers of kind sql are measured with.
create function bench.nothing(job_id bigint, payload json) returns json language sql as 'select null::json';
