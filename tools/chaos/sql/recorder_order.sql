-- Takes the next piece of the order of commits from the slot. One row: how many changes that were.
with piece as materialized (
	select row_number() over () as place, xid::text::bigint as xid, get_byte(data, 0) = ascii('C') as commits
	from pg_logical_slot_get_binary_changes('locum_chaos', null, 100000,
		'proto_version', '1', 'publication_names', 'locum_chaos')
), stored as (
	insert into locum_chaos.committed (xid) select xid from piece where commits order by place
)
select count(*) as changes from piece
