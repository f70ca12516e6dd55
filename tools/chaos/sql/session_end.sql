-- session_end(pid int) -> gone boolean
select pg_terminate_backend($1::int, 5000)
