-- job_retried(ids bigint[]) -> id
-- Those of these jobs, in this order, that were retried before.
select wanted.id from unnest($1::bigint[]) with ordinality as wanted (id, n)
where locum.was_retried(wanted.id)
order by n
