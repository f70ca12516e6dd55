-- All that follows sees the same moment, whatever goes on meanwhile: the events, the order of their commits, and the jobs.
begin isolation level repeatable read;
select pg_current_snapshot()
