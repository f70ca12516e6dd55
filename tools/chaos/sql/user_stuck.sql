-- user_stuck() -> count bigint
-- Jobs of the user's handler that somebody runs.
select count(*) from locum.job where handler = 'user' and claim_id is not null
