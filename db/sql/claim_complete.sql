-- claim_complete(job bigint, claim_id uuid, result text) -> nothing
-- locum.complete for a handler with a connection of its own. LC001 when the job was reassigned.
select locum.complete($1::bigint, $2::uuid, $3::text::json)
