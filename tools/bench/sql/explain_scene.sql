-- What tools/bench/claim_explain.sh begins with.

create table statement (name text primary key, text text not null);

insert into locum.queue (name) values ('default');
insert into locum.dispatcher (incarnation, id, host, pid, machine_id, version)
values ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001', 'host', 1, 'm', '1');

create procedure fill_jobs(count int, handler text) language sql as $$
	insert into locum.job (queue_id, state, lane, handler, payload)
	select 1, 'pending', 1, handler,
		('{"path": "/usr/share/doc/some/where/file-' || n || '", "size": 123456, "flags": ["a", "b"]}')::json
	from generate_series(1, count) as n
$$;

-- Claims and completes the first `count` jobs in batches of 1,000, one transaction each.
create procedure churn(count int) language plpgsql as $$
declare
	claim text := (select text from statement where name = 'job_claim');
	complete text := (select text from statement where name = 'job_complete');
	me uuid := '00000000-0000-4000-8000-000000000001';
	claim_id uuid;
	job record;
	ids bigint[];
	places tid[];
	lowest bigint := 0;
begin
	for batch in 1 .. count / 1000 loop
		claim_id := gen_random_uuid();
		ids := '{}';
		places := '{}';
		for job in execute claim using me, claim_id, '{1}'::int[], '{5}'::int[], '{1}'::int[],
			array[lowest], '{h}'::text[], 1000, true
		loop
			ids := ids || job.id;
			places := places || job.place;
		end loop;
		commit;
		execute complete using me, gen_random_uuid(), '{}'::uuid[], ids,
			array_fill(claim_id, array[1000]), array_fill('completed'::text, array[1000]),
			array_fill(null::text, array[1000]), array_fill(null::text, array[1000]),
			array_fill(null::text, array[1000]), array_fill(5::bigint, array[1000]),
			array_fill(0::bigint, array[1000]), false, places;
		commit;
		lowest := ids[1000];
	end loop;
end
$$;
