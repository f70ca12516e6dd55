-- slot_drop() -> count bigint
-- Drops the recorder's slot, which would keep the server from forgetting old transactions.
select count(pg_drop_replication_slot(slot_name)::text) from pg_replication_slots
where slot_name = 'locum_chaos'
