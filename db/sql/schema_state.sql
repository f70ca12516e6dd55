-- schema_state() -> present, encoding
-- Whether this database has a schema of locum, and its encoding.
select to_regclass('locum.migration') is not null as present, getdatabaseencoding()::text as encoding
