-- Jobs per second in each tenth of what the dispatcher with :pid completed, for psql.
select decile, round((count(*) / nullif(extract(epoch from max(finished_at) - min(before)), 0))::numeric, 1)
from (
	select ntile(10) over (order by finished_at) as decile, finished_at,
		lag(finished_at) over (order by finished_at) as before
	from locum.finished
	join locum.dispatcher using (incarnation)
	where dispatcher.pid = :pid
) as completed
group by decile
having max(finished_at) > min(before)
order by decile
