-- life_count(pid int, incarnation uuid) -> count bigint
-- Whether this process lives on, or again, as another incarnation.
select count(*) from locum.dispatcher
where pid = $1::int and state = 'running' and incarnation <> $2::uuid
