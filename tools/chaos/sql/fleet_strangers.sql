-- fleet_strangers(pids int[]) -> count bigint
-- How many other processes are dispatchers as far as the database knows: their deaths are still to come.
select count(*) from locum.dispatcher where state in ('running', 'draining') and pid <> all ($1::int[])
