-- bare_claim(claim_id uuid, dispatcher uuid, cursor bigint, most int) -> id, handler, payload
-- The prototype's claim: the array form, in place, with a cursor.
update bare.job
set claim_id = $1::uuid, dispatcher = $2::uuid, claimed_at = now()
where id = any(array(
	select id
	from bare.job
	where queue = 1 and (priority, id) > (5::smallint, $3::bigint) and claim_id is null
	order by priority, id
	for update skip locked
	limit $4::int
))
returning id, handler, payload
