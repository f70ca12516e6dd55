-- schema_raise() -> version
-- Records a migration that this locum does not know.
insert into locum.migration (version, name) select max(version) + 1, 'chaos' from locum.migration returning version
