-- What the benchmark waits with, for psql.
create schema bench;

-- bench.until(condition text, seconds int): returns when the condition holds, looking every 5 ms, each time
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
		perform pg_sleep(0.005);
	end loop;
end $$;
