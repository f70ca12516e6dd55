-- job_floor(scan int) -> cut
-- Whether there are more than `scan` unfinished or finished jobs, so that job_list did not look at all.
select exists (select from locum.job order by id desc offset $1::int limit 1)
	or exists (select from locum.finished order by id desc offset $1::int limit 1) as cut
