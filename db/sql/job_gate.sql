-- job_gate(id bigint, claim_id uuid) -> id, name, transaction
-- Locks a job until the transaction ends, when the claim is still its latest. No row: it was reassigned. The
-- connection is named after job and dispatcher meanwhile, so that the dispatcher can end it should the host be gone
-- (gate_end), and a sibling should both fall silent (backend_terminate).
select id, set_config('application_name', format('locum/job/%s/%s', id, incarnation), true) as name,
	pg_current_xact_id()::text::bigint as transaction
from locum.job
where id = $1::bigint and claim_id = $2::uuid
for update
