-- Kills process :pid with SIGKILL and prints, when the jobs of its incarnation :'victim' have been
-- reclaimed and all are done, the milliseconds from the kill and from the last ping to the reclaim, and from
-- the kill to the first and to the last second start. For psql.
select clock_timestamp() as killed_at \gset
\setenv VICTIM_PID :pid
\! kill -9 "$VICTIM_PID"
select format('exists (select from locum.death where victim_incarnation = %L and reclaimed > 0) '
	'and not exists (select from locum.job)', :'victim') as settled \gset
call bench.until(:'settled', 60);
select round(extract(epoch from reclaimed_at - :'killed_at'::timestamptz) * 1000),
	round(extract(epoch from reclaimed_at - last_ping) * 1000),
	round(extract(epoch from first - :'killed_at'::timestamptz) * 1000),
	round(extract(epoch from last - :'killed_at'::timestamptz) * 1000)
from locum.death, (
	select min(started_at) as first, max(started_at) as last
	from locum.finished where recoveries > 0 and state = 'completed'
) as again
where victim_incarnation = :'victim';
