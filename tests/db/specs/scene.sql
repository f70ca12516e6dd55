-- What every race begins with: the dispatchers A and B, and the jobs 1 to 4 of the queue "default".

create function a() returns uuid language sql immutable
	return 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'::uuid;
create function b() returns uuid language sql immutable
	return 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'::uuid;
create function claim(n int) returns uuid language sql immutable
	return ('cccccccc-cccc-4ccc-8ccc-' || lpad(n::text, 12, '0'))::uuid;

-- A job as it is, without what differs from run to run.
create view seen as
select id, state, case incarnation when a() then 'A' when b() then 'B' end as owner,
	right(claim_id::text, 1) as claim, claim_seq, lane, interruptions, recoveries
from locum.job
order by id;
create view ended as
select id, state, right(claim_id::text, 1) as claim, claim_seq, error from locum.finished order by id;

insert into locum.dispatcher (incarnation, id, host, pid, machine_id, version)
values (a(), a(), 'host', 1, 'm', '1'), (b(), b(), 'host', 2, 'm', '1');
insert into locum.dispatcher_ping (incarnation, dispatcher_id, death_interval_ms)
values (a(), a(), 30000), (b(), b(), 30000);
select locum.submit('h') from generate_series(1, 4);

alter function locum.cancel(bigint) set lock_timeout = 0;
