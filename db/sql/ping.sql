-- ping(incarnation uuid, death_interval_ms bigint) -> seq
-- The sign of life. No row: this incarnation was declared dead. The commit does not wait for the disk, for
-- a ping must not be late because somebody else's flush is slow.
with quick as materialized (select set_config('synchronous_commit', 'off', true))
update locum.dispatcher_ping
set seq = seq + 1, pinged_at = clock_timestamp(), death_interval_ms = $2::bigint
from quick
where incarnation = $1::uuid
returning seq
