-- worker_lives(id uuid) -> alive
-- Whether an incarnation of this dispatcher has not ended.
select exists (select from locum.dispatcher where id = $1::uuid and state in ('running', 'draining')) as alive
