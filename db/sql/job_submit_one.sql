-- job_submit_one(handler text, payload text, queue text, priority int, key text, options text, request_id uuid) -> id
-- locum.submit. options is an object of the other options, by their names; a null is the default.
select locum.submit($1::text, coalesce($2::text, '{}')::json, coalesce($3::text, 'default'), $4::int,
	run_at => o.run_at, delay => o.delay, key => $5::text, request_id => $7::uuid,
	max_attempts => o.max_attempts, timeout => o.timeout, expires => o.expires,
	on_interrupt => o.on_interrupt, traceparent => o.traceparent, retry_delay => o.retry_delay,
	retry_cap => o.retry_cap, retry_backoff => o.retry_backoff, "then" => o."then", labels => o.labels,
	submitted_by => o.submitted_by) as id
from json_populate_record(null::locum.job_option, coalesce($6::text, '{}')::json) as o
