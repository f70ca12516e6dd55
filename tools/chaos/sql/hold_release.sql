-- All but the pings.
select pg_advisory_unlock(4242, 1)
