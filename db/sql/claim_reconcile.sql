-- claim_reconcile(incarnation uuid, known bigint[]) -> id
-- Gives back the jobs that the database counts as this incarnation's and of which it knows nothing: the
-- answer to their claim was lost with a connection, and they never started.
update locum.job
set state = 'pending', lane = 0, claim_id = null, incarnation = null, started_at = null,
	claimed_at = null
where incarnation = $1::uuid and id <> all($2::bigint[])
returning id
