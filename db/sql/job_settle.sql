-- job_settle(id bigint, claim_id uuid, result text, log text, ran_ms bigint, transaction bigint) -> nothing
-- Completes a job in the transaction that holds its effects. LC001 when it was reassigned, 25000 when this is
-- not the transaction that took the gate.
select locum.settle($1::bigint, $2::uuid, $3::text::json, $4::text, $5::bigint, $6::bigint)
