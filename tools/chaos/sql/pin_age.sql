-- pin_age(pid int) -> transactions bigint
-- How many transactions have begun since the snapshot of that session.
select age(backend_xmin) from pg_stat_activity where pid = $1::int
