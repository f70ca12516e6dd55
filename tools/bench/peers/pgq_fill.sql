-- Leaves :jobs events to consume, for psql.
\set batch 2000
\ir pgq_load.sql
\o /dev/null
select pgq.force_tick('bench');
select pgq.ticker('bench');
\o
select format('vacuum analyze %s', pgq.current_event_table('bench')) \gexec
vacuum analyze pgq.tick, pgq.subscription, pgq.queue;
checkpoint;
