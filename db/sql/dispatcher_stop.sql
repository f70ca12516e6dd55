-- dispatcher_stop(incarnation uuid) -> nothing
-- The orderly end of an incarnation. Claims that it still holds are reclaimed by the orphan sweep.
with unpinged as (delete from locum.dispatcher_ping where incarnation = $1::uuid),
	agents as (delete from locum.agent where incarnation = $1::uuid),
	receipts as (delete from locum.receipt where incarnation = $1::uuid)
update locum.dispatcher set state = 'stopped', ended_at = clock_timestamp()
where incarnation = $1::uuid and state in ('running', 'draining')
