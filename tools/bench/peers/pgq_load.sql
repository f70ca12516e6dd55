-- Makes the queue anew and inserts :jobs events, :batch a transaction, each followed by the ticker, which
-- cuts a batch of the consumer there. Sets :rate, events per second. For psql.
\o /dev/null
select pgq.drop_queue(queue_name, true) from pgq.queue where queue_name = 'bench';
select pgq.create_queue('bench');
select pgq.set_queue_config('bench', 'ticker_max_count', :'batch');
select pgq.register_consumer('bench', 'bench');
\o
select clock_timestamp() as began \gset
\o /dev/null
select format($$
		select count(pgq.insert_event('bench', 'noop', json_build_object('customer', 100000 + n,
			'order', md5(n::text), 'amount', n %% 1000, 'currency', 'EUR', 'note', 'plain')::text))
		from generate_series(%s, %s) as n
	$$, first, least(first + :batch - 1, :jobs)),
	$$ select pgq.ticker('bench') $$
from generate_series(1, :jobs, :batch) as first
\gexec
\o
select round(:jobs / extract(epoch from clock_timestamp() - :'began'::timestamptz)) as rate \gset
