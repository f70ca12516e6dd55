-- What a job of the handler "sql" does: its effect, in the transaction in which it is completed. The schema is the
-- recorder's.
create table locum_chaos.effect (job bigint not null, at timestamptz not null default clock_timestamp());
create function locum_chaos.witness(job bigint, payload json) returns json
language plpgsql as $_$
begin
	insert into locum_chaos.effect (job) values (witness.job);
	if payload ->> 'fail' is not null then
		raise exception '%', payload ->> 'fail';
	end if;
	if coalesce((payload ->> 'work_us')::bigint, 0) > 0 then
		perform pg_sleep((payload ->> 'work_us')::bigint / 1e6);
	end if;
	return null;
end
$_$;
