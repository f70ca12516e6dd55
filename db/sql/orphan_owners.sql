-- orphan_owners() -> incarnation
-- The incarnations that hold claims and are not alive, whatever race left them.
select distinct job.incarnation
from locum.job
where job.incarnation is not null and not exists (
	select from locum.dispatcher
	where dispatcher.incarnation = job.incarnation and dispatcher.state in ('running', 'draining')
)
