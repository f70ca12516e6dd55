-- signal_take(incarnation uuid) -> job_id, claim_id, kind
-- What this incarnation is to be told, once. A drain has neither job nor claim.
delete from locum.signal
where incarnation = $1::uuid
returning job_id, claim_id, kind::text
