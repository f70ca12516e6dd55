-- job_gate(id bigint, claim_id uuid) -> id, name
-- Locks a job until the transaction ends, when the claim is still its latest. No row: it was reassigned. The
-- connection is named after the dispatcher meanwhile, so that a sibling can end it (backend_terminate) should
-- both fall silent.
select id, set_config('application_name', 'locum/host/' || incarnation, true) as name
from locum.job
where id = $1::bigint and claim_id = $2::uuid
for update
