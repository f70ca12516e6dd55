-- dispatcher_return(incarnation uuid) -> declared_by, declared_at
-- Records that the victim of a death certificate proved to be alive, and says who declared it.
update locum.death set returned_at = clock_timestamp()
where victim_incarnation = $1::uuid
returning declared_by, declared_at::text
