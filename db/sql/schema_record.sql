-- schema_record(version int, name text) -> nothing
insert into locum.migration (version, name) values ($1::int, $2::text)
