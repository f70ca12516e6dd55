select count(*) from locum.death where victim_incarnation = $1::uuid
