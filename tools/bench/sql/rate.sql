-- Jobs per second from the registration of the dispatcher with :pid to the last completion, for psql.
select round((count(*) / extract(epoch from max(finished.finished_at) - max(dispatcher.started_at)))::numeric, 1)
from locum.finished
join locum.dispatcher using (incarnation)
where dispatcher.pid = :pid and finished.state = 'completed'
