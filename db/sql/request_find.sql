-- request_find(request_id uuid) -> request_id
-- Whether a submission with this request_id was committed.
select request_id from locum.request where request_id = $1::uuid
