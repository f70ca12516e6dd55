-- agent_idle(incarnation uuid, idle boolean) -> nothing
-- Says whether a submission should wake this dispatcher. Need not survive a crash of the database.
with quick as materialized (select set_config('synchronous_commit', 'off', true))
update locum.agent set idle = $2::boolean
from quick
where incarnation = $1::uuid and idle <> $2::boolean
