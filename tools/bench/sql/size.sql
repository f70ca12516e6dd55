-- Bytes of all of locum's tables and indexes but the history, unfinished jobs, and finished ones, for psql.
select
	(
		select sum(pg_total_relation_size(c.oid)) from pg_class c
		join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'locum' and c.relkind = 'r' and c.relname !~ '^finished'
	),
	(select count(*) from locum.job),
	(select count(*) from locum.finished)
