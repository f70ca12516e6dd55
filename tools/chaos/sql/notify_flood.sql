-- notify_flood() -> count bigint
-- 64 MB of notifications, each different, or they would be one.
select count(pg_notify('locum_chaos', n || repeat('x', 7900))) from generate_series(1, 8000) n
