-- job_submit(handler text, payload text, queue text, priority int, run_at text, delay text, key text, request_id uuid, max_attempts int, timeout text, expires text, on_interrupt text, traceparent text) -> id
-- locum.submit with every option as text or null.
select locum.submit($1::text, $2::text::json, $3::text, $4::int, $5::text::timestamptz, $6::text::interval,
	$7::text, $8::uuid, $9::int, $10::text::interval, $11::text::interval, $12::text, $13::text) as id
