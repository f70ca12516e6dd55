-- house_keep(most int) -> finished
-- Deletes up to `most` finished jobs that their queue no longer keeps, requests past their time, and what
-- incarnations left behind that ended long ago, their certificates among it.
with requests as (
	delete from locum.request where created_at < now() - make_interval(hours => LIMIT_REQUEST_HOURS)
), signals as (
	delete from locum.signal where created_at < now() - interval '1 day'
), receipts as (
	delete from locum.receipt
	where not exists (select from locum.dispatcher d
		where d.incarnation = receipt.incarnation and d.state in ('running', 'draining'))
), kept as (
	select 2 * greatest(max(keep_finished), make_interval(days => LIMIT_RETENTION_DAYS)) as long from locum.queue
), deaths as (
	delete from locum.death where declared_at < now() - (select long from kept)
), dispatchers as (
	delete from locum.dispatcher
	where ended_at < now() - (select long from kept)
		and not exists (select from locum.job where job.incarnation = dispatcher.incarnation)
), gone as (
	delete from locum.finished
	where id = any(array(
		select f.id
		from locum.finished f
		join locum.queue q on q.id = f.queue_id
		where q.keep_finished < (select max(keep_finished) from locum.queue)
			and f.finished_at < now() - q.keep_finished
		limit $1::int
	))
	returning 1
)
select count(*)::int as finished from gone
