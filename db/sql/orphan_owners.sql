-- orphan_owners() -> incarnation
-- The incarnations that hold claims and are not alive, whatever race left them. Steps from one owner to
-- the next in the index, so that it costs as many look-ups as there are owners, not claims.
with recursive owner as (
	(select incarnation from locum.job where incarnation is not null order by incarnation limit 1)
	union all
	select (
		select job.incarnation from locum.job
		where job.incarnation > owner.incarnation
		order by job.incarnation
		limit 1
	)
	from owner
	where owner.incarnation is not null
)
select owner.incarnation
from owner
where owner.incarnation is not null and not exists (
	select from locum.dispatcher
	where dispatcher.incarnation = owner.incarnation and dispatcher.state in ('running', 'draining')
)
