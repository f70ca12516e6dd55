-- claim_count(incarnation uuid) -> count bigint
select count(*) from locum.job where incarnation = $1::uuid
