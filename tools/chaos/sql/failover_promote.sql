select pg_promote(true, 60)
