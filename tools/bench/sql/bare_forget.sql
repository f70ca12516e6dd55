-- bare_forget(ids bigint[], claim_id uuid) -> nothing
-- The prototype's completion when no history is kept.
delete from bare.job where id = any($1::bigint[]) and claim_id = $2::uuid
