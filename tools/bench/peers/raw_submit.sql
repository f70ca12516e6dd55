-- Prints how many jobs per second a bare INSERT … SELECT writes, 1,000 a transaction, for psql.
truncate bare.job, bare.finished;
vacuum analyze bare.job;
select clock_timestamp() as began \gset
select format($$
		insert into bare.job (queue, priority, handler, payload)
		select 1, 5, 'true', json_build_object('customer', 100000 + n, 'order', md5(n::text),
			'amount', n %% 1000, 'currency', 'EUR', 'note', 'plain')
		from generate_series(%s, %s) as n
	$$, first, least(first + 999, :jobs))
from generate_series(1, :jobs, 1000) as first
\gexec
select E'raw\t' || round(:jobs / extract(epoch from clock_timestamp() - :'began'::timestamptz));
truncate bare.job;
