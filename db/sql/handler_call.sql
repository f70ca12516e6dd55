-- handler_call(function text, id bigint, claim_id uuid, payload text) -> ending
-- Takes the gate, calls a handler that is a function, and completes the job with its result (locum.call_handler).
select locum.call_handler($1::text, $2::bigint, $3::uuid, $4::text::json) as ending
