-- ended_since(since timestamptz) -> jobs text
-- Some of the jobs whose runs ended since.
select coalesce(string_agg(job::text, ' '), '')
from (
	select job from locum_chaos.event
	where kind = 'end' and incarnation is not null and at > $1::timestamptz
	limit 100
) as ended
