-- handler_call(function text, id bigint, claim_id uuid, payload text) -> nothing
-- Takes the gate, calls a handler that is a function, and completes the job with its result.
select locum.call_handler($1::text, $2::bigint, $3::uuid, $4::text::json)
