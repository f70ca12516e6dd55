-- Jobs per second between the first completion of the dispatcher with :pid and its last, for psql.
select round(((count(*) - count(*) filter (where finished_at = first)) / extract(epoch from max(finished_at) - min(first)))::numeric, 1)
from (
	select finished.finished_at, min(finished.finished_at) over () as first
	from locum.finished
	join locum.dispatcher using (incarnation)
	where dispatcher.pid = :pid and finished.state = 'completed'
) as completed
