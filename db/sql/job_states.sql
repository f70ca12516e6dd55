-- job_states(ids bigint[]) -> id, state
-- The states of those of these jobs of which a trace is left, by ascending id.
select id, state::text from locum.job where id = any($1::bigint[])
union all
select id, state::text from locum.finished where id = any($1::bigint[])
order by id
