-- payload_corrupt(id bigint, bytes text) -> corrupted
-- Puts bytes, given as hexadecimal digits, where the payload of an unclaimed job is, past every check of the server's.
with corrupted as (
	update locum.job set payload = decode($2::text, 'hex')::json
	where id = $1::bigint and claim_id is null returning id
)
select count(*) as corrupted from corrupted
