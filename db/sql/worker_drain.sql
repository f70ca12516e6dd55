-- worker_drain(id uuid) -> told
-- Tells a living dispatcher to finish what it has and to end; false when none lives.
select locum.drain($1::uuid) as told
