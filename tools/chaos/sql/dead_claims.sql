-- dead_claims() -> count bigint
-- Jobs that nobody living holds.
select count(*)
from locum.job j
where j.incarnation is not null
	and not exists (
		select from locum.dispatcher d
		where d.incarnation = j.incarnation and d.state in ('running', 'draining')
	)
