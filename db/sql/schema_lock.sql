-- schema_lock() -> nothing
-- Lets one `locum init` at a time into a database, until the transaction ends.
select pg_advisory_xact_lock(hashtext('locum.init'))
