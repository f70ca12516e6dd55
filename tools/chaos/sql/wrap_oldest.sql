-- wrap_oldest() -> xid bigint
-- The oldest transaction that this server may not forget.
select min(datfrozenxid::text::bigint) from pg_database
