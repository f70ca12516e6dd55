-- job_gate(id bigint, claim_id uuid) -> id
-- Locks a job until the transaction ends, when the claim is still its latest. No row: it was reassigned.
select id from locum.job where id = $1::bigint and claim_id = $2::uuid for update
