-- session_cancel(pid int) -> sent boolean
select pg_cancel_backend($1::int)
