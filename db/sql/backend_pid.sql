-- backend_pid() -> pid
-- The process that serves this statement.
select pg_backend_pid() as pid
