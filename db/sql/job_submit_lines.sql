-- job_submit_lines(lines text[], request_id uuid) -> id
-- locum.submit_many for the lines of a stream. The DETAIL of an error is the line's place, from 1.
select id from locum.submit_lines($1::text[], $2::uuid) as id
