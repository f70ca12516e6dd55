-- schema_version() -> version
-- The newest migration of a database that has the schema.
select max(version) as version from locum.migration
