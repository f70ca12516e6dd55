-- server_now() -> seconds bigint
select extract(epoch from clock_timestamp())::bigint
