-- death_empty(after bigint, victim int) -> empty int
-- 1 where some died since, or that process did (0: whoever), and none of them had a job that came back.
select (count(*) > 0 and sum(reclaimed) = 0 or count(d.pid) > 0 and sum(reclaimed) filter (where d.pid is not null) = 0)::int
from locum.death
left join locum.dispatcher d on d.incarnation = victim_incarnation and d.pid = $2::int
where death.id > $1::bigint
