-- What the end of a job submits.

-- locum.follow(job bigint, queue_id int, handler text, submitted_by text, traceparent text, follow_ups json, state,
-- result json, error text): stores the follow-ups of a job that ends in this state, in the transaction that ends
-- it, and wakes dispatchers for them. One whose key an unfinished job has is not stored.
-- Errors: none but the database's own; locum.follow_up_set let nothing pass that could fail here.
create or replace function locum.follow(job bigint, queue_id int, handler text, submitted_by text,
	traceparent text, follow_ups json, state locum.job_state, result json, error text)
returns void
language plpgsql as $$
declare
	ending text;
	spec json;
	option locum.job_option;
	told json;
begin
	foreach ending in array case follow.state when 'completed' then '{success,always}'
			when 'cancelled' then '{always}' else '{failure,always}' end::text[] loop
		spec := follow_ups -> ending;
		continue when spec is null;
		option := json_populate_record(null::locum.job_option, spec);
		option.queue := coalesce(option.queue,
			(select q.name from locum.queue q where q.id = follow.queue_id));
		option.traceparent := coalesce(option.traceparent, follow.traceparent);
		option.submitted_by := follow.submitted_by;
		told := coalesce(spec -> 'payload', json_build_object('job', job, 'handler', handler,
			'state', follow.state, 'result', result, 'error', error));
		-- A result that leaves no room for the rest is left out: locum.jobs has it.
		if octet_length(told::text) > LIMIT_PAYLOAD_BYTES then
			told := json_build_object('job', job, 'handler', handler, 'state', follow.state,
				'result', null, 'error', error);
		end if;
		perform locum.store_job(option, told, option."then", job);
	end loop;
end
$$;
