-- dead_among(incarnations uuid[]) -> count bigint
select count(*) from locum.death where victim_incarnation = any ($1::uuid[])
