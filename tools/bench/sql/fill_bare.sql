-- Fills the prototype's table with :jobs jobs, for psql.
truncate bare.job, bare.finished;
insert into bare.job (queue, priority, handler, payload)
select 1, 5, 'true', json_build_object('customer', 100000 + n, 'order', md5(n::text), 'amount', n % 1000,
	'currency', 'EUR', 'note', 'plain')
from generate_series(1, :jobs) as n;
vacuum analyze bare.job;
checkpoint;
