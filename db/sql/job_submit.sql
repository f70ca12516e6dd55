-- job_submit(handler text, payload text, queue text, priority int, run_at text, delay text, key text, request_id uuid, max_attempts int, timeout text, expires text, on_interrupt text, traceparent text) -> id
-- locum.submit; null stands for an option's default.
select locum.submit($1::text, coalesce($2::text, '{}')::json, coalesce($3::text, 'default'),
	coalesce($4::int, LIMIT_PRIORITY_DEFAULT), $5::text::timestamptz, $6::text::interval, $7::text,
	$8::uuid, $9::int, $10::text::interval, $11::text::interval, coalesce($12::text, 'retry'),
	$13::text) as id
