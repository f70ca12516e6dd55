-- Bytes of WAL per job since :'before', for psql.
select round(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'before') / :jobs)
