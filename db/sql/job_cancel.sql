-- job_cancel(ids bigint[], states text[]) -> id, outcome
-- Cancels these jobs, in this order, if they are in one of these states (null: in any). outcome is that of
-- locum.cancel_in.
select wanted.id, locum.cancel_in(wanted.id, $2::text[]) as outcome
from unnest($1::bigint[]) as wanted (id)
