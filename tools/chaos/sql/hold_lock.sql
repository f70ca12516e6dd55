select pg_advisory_lock(4242, 1), pg_advisory_lock(4242, 2)
