-- Bulk submission, in the caller's transaction: how it is called.

-- locum.jobs_digest(…): a number by which the same jobs are known again.
create or replace function locum.jobs_digest(handlers text[], payloads text[], queues text[], priorities int[],
	keys text[], options json[]) returns bigint
language sql immutable set search_path = pg_catalog, pg_temp as $$
	select hash_array_extended(array[
		hash_array_extended(handlers, 0), hash_array_extended(payloads, 0), hash_array_extended(queues, 0),
		hash_array_extended(priorities, 0), hash_array_extended(keys, 0),
		hash_array_extended(options::text[], 0)], 0)
$$;

-- locum.only_queue(handlers text[], queues text[]): the queue that all the jobs go to, or null.
create or replace function locum.only_queue(handlers text[], queues text[]) returns text
language sql immutable as $$
	select case when queues is null and cardinality(handlers) > 0 then 'default'
		when cardinality(handlers) = cardinality(queues) and queues[1] = all(queues) then queues[1] end
$$;

-- locum.store_jobs(…): submit_arrays without its request. Most jobs have neither key nor options, and most
-- batches one queue.
create or replace function locum.store_jobs(handlers text[], payloads text[], queues text[],
	priorities int[], keys text[], options json[]) returns bigint[]
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	queue constant text := locum.only_queue(handlers, queues);
begin
	if num_nonnulls(variadic keys) > 0 or num_nonnulls(variadic options) > 0 then
		if exists (
			select from unnest(options) with ordinality as line (object, n),
				json_each(object) as given (name, value)
			group by n
			having count(*) > count(distinct name)
				or bool_or(name <> all((select locum.job_options())::text[]))
				or not bool_and(locum.takes(name, json_typeof(value)))
		) then
			raise 'a wrong option' using errcode = 'invalid_parameter_value';
		end if;
		return locum.insert_until_seen(handlers, payloads, queues, priorities, keys, options);
	end if;
	return case when queue is not null then locum.insert_line(handlers, payloads, queue, priorities)
		else locum.insert_lines(handlers, payloads, queues, priorities) end;
exception when data_exception or integrity_constraint_violation then
	perform locum.check_jobs(handlers, payloads, queues, priorities, keys, options);
	raise;
end
$$;

-- locum.submit_arrays(…): stores many jobs in the caller's transaction and returns their ids in the same order. All
-- or none are stored. An array may be null, and so may its elements: the default.
--   request_id  as for locum.submit. The same again stores nothing and returns the ids of the first time, which
--               may be another number than asked for now; as many jobs, but others, are refused.
--   handlers    who are to run them
--   payloads    JSON, kept byte for byte
--   options     objects with any of the other options (locum.job_options() lists them); what stands in another
--               array wins over an option of that name
-- Errors: as locum.submit, with the place of the bad job, from 1, in DETAIL. Any client may call.
create or replace function locum.submit_arrays(request_id uuid, handlers text[], payloads text[] default null,
	queues text[] default null, priorities int[] default null, keys text[] default null,
	options json[] default null)
returns setof bigint
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	stored bigint[] := locum.take_request(submit_arrays.request_id);
	given bigint;
	earlier bigint;
begin
	if submit_arrays.request_id is not null then
		given := locum.jobs_digest(handlers, payloads, queues, priorities, keys, options);
	end if;
	if stored is null then
		stored := locum.store_jobs(handlers, payloads, queues, priorities, keys, options);
		update locum.request r set jobs = coalesce(stored, '{}'), digest = given
			where r.request_id = submit_arrays.request_id;
	elsif cardinality(stored) = greatest(cardinality(handlers), cardinality(options)) then
		select r.digest into earlier from locum.request r
			where r.request_id = submit_arrays.request_id;
		if earlier <> given then
			raise 'the request_id % was used before, for other jobs', submit_arrays.request_id
				using errcode = 'invalid_parameter_value';
		end if;
	end if;
	return query select unnest(stored);
end
$$;

-- locum.submit_many(jobs json[], request_id uuid): submit_arrays for objects with "handler" and any of the other
-- options of locum.submit. Errors: as there. Any client may call.
create or replace function locum.submit_many(jobs json[], request_id uuid default null)
returns setof bigint
language sql set search_path = pg_catalog, locum, pg_temp as $$
	select * from locum.submit_arrays(submit_many.request_id, null, options => jobs)
$$;
