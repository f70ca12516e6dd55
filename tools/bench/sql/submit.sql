-- Submits :count jobs for :'handler', for psql.
select count(*) from locum.submit_many(array(
	select json_build_object('handler', :'handler') from generate_series(1, :count)))
