-- Submits :jobs jobs for :'handler' with the prototype's payload, a multiple of 1000, for psql.
truncate locum.job, locum.finished, locum.receipt, locum.dispatcher, locum.dispatcher_ping;
select count(id)
from (
	select array_agg(json_build_object('handler', :'handler', 'payload',
		json_build_object('customer', 100000 + n, 'order', md5(n::text), 'amount', n % 1000,
			'currency', 'EUR', 'note', 'plain'))) as jobs
	from generate_series(1, :jobs) as n
	group by n / 1000
) as batch, locum.submit_many(batch.jobs) as id;
vacuum analyze locum.job;
checkpoint;
