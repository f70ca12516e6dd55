-- dead_count() -> count bigint
select n_dead_tup from pg_stat_user_tables where relid = 'locum.job'::regclass
