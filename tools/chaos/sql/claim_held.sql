-- claim_held(pid int, first bigint, last bigint) -> count bigint
-- Which of these jobs the dispatcher of that process has claimed.
select count(*)
from locum.job
where id between $2::bigint and $3::bigint
	and incarnation = (
		select incarnation from locum.dispatcher where pid = $1::int order by seq desc limit 1
	)
