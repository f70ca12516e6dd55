-- job_submit_arrays(request_id uuid, handlers text[], payloads text[], queues text[], priorities int[], keys text[], options text[]) -> id
-- locum.submit_arrays. The DETAIL of an error is the bad job's place, from 1.
select id from locum.submit_arrays($1::uuid, $2::text[], $3::text[], $4::text[], $5::int[], $6::text[],
	$7::text[]::json[]) as id
