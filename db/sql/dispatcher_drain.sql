-- dispatcher_drain(incarnation uuid) -> nothing
-- From now on this incarnation claims nothing.
with quiet as (update locum.agent set idle = false where incarnation = $1::uuid)
update locum.dispatcher set state = 'draining' where incarnation = $1::uuid and state = 'running'
