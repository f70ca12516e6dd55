-- job_after(moment timestamptz) -> id
-- An id below which all jobs are that were submitted before the moment, found by halving. A job's id is
-- drawn after the time of its submission, the start of the transaction, was set: so the id may be too high,
-- and is too low only for jobs whose transaction went on past the moment.
with recursive search (low, high, round) as (
	select least((select min(id) from locum.job), (select min(id) from locum.finished)),
		greatest((select max(id) from locum.job), (select max(id) from locum.finished)) + 1, 0
	union all
	select case when later then low else probe.id + 1 end, case when later then middle else high end,
		round + 1
	from search
	cross join lateral (select low + (high - low) / 2 as middle offset 0) as half
	cross join lateral (
		select id, created_at > $1::timestamptz as later
		from (
			(select id, created_at from locum.job where id >= middle order by id limit 1)
			union all
			(select id, created_at from locum.finished where id >= middle order by id limit 1)
		) as found
		order by id limit 1
	) as probe
	where low < high and round < 64
)
select coalesce((select high from search order by round desc limit 1), 0) as id
