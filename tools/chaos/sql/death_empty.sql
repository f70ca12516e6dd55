-- death_empty(after bigint) -> empty int
-- 1 where some died since, and none of them had a job that came back.
select (count(*) > 0 and sum(reclaimed) = 0)::int from locum.death where id > $1::bigint
