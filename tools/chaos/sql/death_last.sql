-- death_last() -> id bigint
select coalesce(max(id), 0) from locum.death
