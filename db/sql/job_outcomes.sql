-- job_outcomes(ids bigint[]) -> id, state, result, error
-- How those of these jobs stand of which a trace is left, by ascending id.
select id, state::text, null as result, error from locum.job where id = any($1::bigint[])
union all
select id, state::text, result::text, error from locum.finished where id = any($1::bigint[])
order by id
