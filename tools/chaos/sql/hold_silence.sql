select (extract(epoch from clock_timestamp() - pinged_at) * 1000)::bigint
from locum.dispatcher_ping
where incarnation = $1::uuid
